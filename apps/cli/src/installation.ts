import { parseDatabaseUrl } from '@clerk-mirror/mirror'
import type { InstallationReport, RestampResult } from '@clerk-mirror/operations'
import { parseRedisUrl } from '@clerk-mirror/queue/operate'
import { readConfig, secret } from '@clerk-mirror/runtime'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { demandTerminal, isConfirmed } from './confirm.js'
import { withOperations } from './operations.js'

export const showInstallation: Command = {
  usage: '[--json]',
  summary: 'Show the installations of the database and of Redis, and how often Redis lost its data.',
  examples: ['installation show', 'installation show --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name')
    return withOperations<ExitCode>(call, async ({ installation }) => {
      const report = await installation.show()
      const { database, queue, refusal } = report
      if (call.values['json']) call.out(JSON.stringify({ database, queue, refusal: refusal?.code ?? null }))
      else call.out(...linesOf(report))
      return refusal === null ? 0 : 1
    })
  },
}

function linesOf({ database, queue, refusal }: InstallationReport): string[] {
  const line = (name: string, stamp: InstallationReport['queue']) =>
    `${name}  ${stamp === null ? 'no installation yet' : `${stamp.id}, epoch ${stamp.epoch}`}`
  const lines = [line('database', database), line('Redis   ', queue)]
  return [...lines, ...(refusal === null ? [] : ['', `${refusal.message} [${refusal.code}]`])]
}

export const restampInstallation: Command = {
  usage: '[--new] [--yes] [--json]',
  summary:
    'Give the database the installation id of this Redis, or a new one if Redis has none: after a clone or a reset.',
  examples: ['installation restamp', 'installation restamp --yes --json', 'installation restamp --new'],
  options: {
    new: { type: 'boolean', doc: 'give both a new id although they match; workers must be stopped' },
    yes: { type: 'boolean', doc: 'do not ask for confirmation' },
  },
  run(call) {
    const { values, positionals, note } = call
    if (positionals.length > 0) throw new WrongUsage('it takes no name')
    const makeNew = values['new'] === true
    const isAsking = values['yes'] !== true
    if (isAsking) demandTerminal()
    return withOperations<ExitCode>(call, async ({ installation }) => {
      const { database, queue } = await installation.show()
      const question =
        `The database ${placeOf(call).database} belongs to ${database?.id ?? 'no installation'}, Redis at ` +
        `${placeOf(call).redis} to ${queue?.id ?? 'none'}. Give ${makeNew ? 'both a new id' : `the database ${queue?.id ?? 'a new id'}`}?`
      if (isAsking && !(await isConfirmed(question))) {
        note('Nothing was changed.')
        return 1
      }
      const result = await installation.restamp({ actor: actor(), makeNew })
      call.out(values['json'] ? JSON.stringify(result) : outcome(result))
      return 0
    })
  },
}

const outcome = (result: RestampResult) =>
  result.kind === 'unchanged'
    ? `Database and Redis belong to ${result.id} already. Nothing was changed.`
    : `The database belongs to ${result.to} now; before, it belonged to ${result.from ?? 'no installation'}.`

/** Where the command works, so that a wrong setting shows before it does. */
function placeOf({ env }: Call): { database: string; redis: string } {
  const { redis, database } = readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)).reveal(),
    database: read.required('DATABASE_URL', secret(parseDatabaseUrl)).reveal(),
  }))
  return {
    database: `${database.database} at ${database.host}:${database.port}`,
    redis: redis.nodes.map(({ host, port }) => `${host}:${port}`).join(', '),
  }
}
