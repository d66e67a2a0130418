import { openMirror, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { type DeadLetterOperations, deadLetterOperations } from '@clerk-mirror/operations'
import { type DeadLetter, openDeadLetters, parseRedisUrl, partitions } from '@clerk-mirror/queue'
import { type Environment, Releasers, readConfig, secret } from '@clerk-mirror/runtime'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { table } from './table.js'

/** Opens what the commands need, and closes it when they are done. */
async function withDeadLetters<T>(
  { env, note }: Call,
  work: (operations: DeadLetterOperations) => Promise<T>,
): Promise<T> {
  const config = readOperationsConfig(env)
  await using owned = new Releasers()
  const letters = await openDeadLetters(config.redis.reveal(), partitions(1))
  owned.defer(() => letters[Symbol.dispose]())
  const mirror = config.database ? owned.use(openMirror(config.database.reveal())) : null
  const ledger =
    mirror &&
    (await mirror.canary().then(
      () => mirror,
      () => null,
    ))
  if (!ledger) note('The database was not asked: letters that are settled meanwhile are shown too.')
  // Awaited here: the letters are closed when this function returns.
  return await work(deadLetterOperations(letters, ledger))
}

const readOperationsConfig = (env: Environment) =>
  readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    database: read.optional('DATABASE_URL', secret(parseDatabaseUrl)),
  }))

export const listDeadLetters: Command = {
  usage: '[--json]',
  summary: 'List the events that were given up, oldest first.',
  examples: ['dead-letters list', 'dead-letters list --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it lists all letters, and takes no name of one')
    return withDeadLetters<ExitCode>(call, async (operations) => {
      const letters: DeadLetter[] = []
      for await (const letter of operations.list()) letters.push(letter)
      if (call.values['json']) call.out(JSON.stringify(letters.map(asJson)))
      else call.out(letters.length === 0 ? 'No dead letters.' : asTable(letters))
      return 0
    })
  },
}

export const showDeadLetter: Command = {
  usage: 'ID [--payload] [--json]',
  summary: 'Show one dead letter: why it was given up, and where in the code.',
  examples: ['dead-letters show msg_2bYZ0example', 'dead-letters show msg_2bYZ0example --payload'],
  options: { payload: { type: 'boolean', doc: "print the event's body too: it holds personal data" } },
  run(call) {
    const [id, ...more] = call.positionals
    if (id === undefined || more.length > 0) throw new WrongUsage('name one dead letter')
    return withDeadLetters<ExitCode>(call, async (operations) => {
      const letter = await operations.show(id)
      if (!letter) {
        call.note(`There is no dead letter ${id}.`)
        return 1
      }
      const { envelope, stack } = letter
      const payload = call.values['payload'] ? { body: envelope?.body ?? null } : {}
      const origin = { source: envelope?.source ?? null, instanceId: envelope?.instanceId ?? null }
      const details = { ...asJson(letter), ...origin, stack, ...payload }
      if (call.values['json']) call.out(JSON.stringify(details))
      else for (const [name, value] of Object.entries(details)) call.out(`${name.padEnd(12)} ${value ?? '–'}`)
      return 0
    })
  },
}

export const replayDeadLetters: Command = {
  usage: '--id ID [--id ID …] [--json]',
  summary: 'Put dead letters back into the queue, as if they had never been tried.',
  examples: ['dead-letters replay --id msg_2bYZ0example'],
  options: { id: { type: 'string', multiple: true, doc: 'the letter to replay; may be given several times' } },
  run(call) {
    const ids = call.values['id']
    if (!Array.isArray(ids) || call.positionals.length > 0) throw new WrongUsage('name the letters with --id')
    return withDeadLetters<ExitCode>(call, async (operations) => {
      const result = await operations.replay(ids)
      if (call.values['json']) call.out(JSON.stringify(result))
      else call.out(`${result.matched} matched, ${result.replayed} replayed, ${result.skipped} skipped.`)
      return result.matched === 0 ? 1 : 0
    })
  },
}

/** The documented shape. Times are ISO 8601. */
const asJson = ({ id, type, objectId, reason, attempts, receivedAtMs, failedAtMs }: DeadLetter) => ({
  id,
  type,
  objectId,
  class: reason.class,
  code: reason.code,
  message: reason.message,
  fingerprint: reason.fingerprint,
  attempts,
  receivedAt: new Date(receivedAtMs).toISOString(),
  failedAt: new Date(failedAtMs).toISOString(),
})

function asTable(letters: readonly DeadLetter[]): string {
  const rows = letters
    .map(asJson)
    .map((letter) => [
      letter.id,
      letter.type,
      letter.objectId ?? '–',
      `${letter.class}/${letter.code}`,
      String(letter.attempts),
      letter.failedAt,
      letter.message,
    ])
  return table(['id', 'type', 'object', 'cause', 'tries', 'failed at', 'message'], rows)
}
