import { openMirror, parseDatabaseUrl, type RebuildRun, TYPED_TABLES } from '@clerk-mirror/mirror'
import { rebuild } from '@clerk-mirror/operations'
import { readConfig, secret } from '@clerk-mirror/runtime'
import { actor } from './actor.js'
import { type Call, type Command, WrongUsage } from './command.js'
import { interruption } from './interruption.js'
import { noteClearText } from './operations.js'
import { progressView } from './progress.js'

export const rebuildTables: Command = {
  usage: '[--kind TABLE …] [--restart] [--json]',
  summary: 'Rebuild the typed tables from the stored Clerk objects, while workers continue.',
  examples: ['rebuild', 'rebuild --kind users', 'rebuild --kind users --kind organizations --json'],
  options: {
    kind: { type: 'string', multiple: true, doc: `only this table: ${TYPED_TABLES.join(', ')}` },
    restart: { type: 'boolean', doc: 'start from the beginning instead of resuming an interrupted rebuild' },
  },
  async run(call) {
    const { env, values, out, note } = call
    const tables = chosenTables(call)
    const database = readConfig(env, (read) => read.required('DATABASE_URL', secret(parseDatabaseUrl)))
    noteClearText({ note }, { database: database.reveal() })
    await using mirror = openMirror(database.reveal())
    await mirror.canary() // says why the database cannot be used, where a query would only say that it failed
    using stop = interruption()
    const view = progressView('rebuild')
    const { isDone, counts } = await rebuild(mirror, {
      actor: actor(),
      tables,
      restart: values['restart'] === true,
      signal: stop.signal,
      onBegin: (run) => sayResumed(run, note),
      onProgress: ({ objects, of }) => view.show({ done: objects, of }),
    }).finally(view.end)
    if (values['json']) out(JSON.stringify({ done: isDone, tables, ...counts }))
    else out(`${counts.objects} objects looked at, ${counts.written} rows written, ${counts.removed} removed.`)
    if (!isDone) note('Stopped. The same command goes on from here.')
    return isDone ? 0 : 1
  },
}

function chosenTables({ values, positionals }: Call): readonly string[] {
  if (positionals.length > 0) throw new WrongUsage('name the tables with --kind')
  const asked = values['kind']
  if (!Array.isArray(asked)) return TYPED_TABLES
  const unknown = asked.find((table) => !TYPED_TABLES.includes(table))
  if (unknown !== undefined) throw new WrongUsage(`"${unknown}" is none of ${TYPED_TABLES.join(', ')}`)
  return TYPED_TABLES.filter((table) => asked.includes(table))
}

function sayResumed({ after, beganAtMs }: RebuildRun, note: (text: string) => void): void {
  if (after === null) return
  const began = new Date(beganAtMs).toISOString()
  note(`Resumes the rebuild of ${began} after ${after}; --restart starts over.`)
}
