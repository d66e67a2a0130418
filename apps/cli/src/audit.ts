import type { OperatorAction } from '@clerk-mirror/operations'
import { type Command, type ExitCode, WrongUsage } from './command.js'
import { withOperations } from './operations.js'
import { table } from './table.js'

const LIMIT = 50
const LIMIT_MAX = 1000

export const listAudit: Command = {
  usage: '[--limit N] [--json]',
  summary: "List operators' actions, newest first: replays, discards, payload views, erasures, rebuilds.",
  examples: ['audit list', 'audit list --limit 200 --json'],
  options: { limit: { type: 'string', doc: `most actions to list: ${LIMIT} by default, up to ${LIMIT_MAX}` } },
  run(call) {
    const limit = Number(call.values['limit'] ?? LIMIT)
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
      throw new WrongUsage(`--limit is a whole number from 1 to ${LIMIT_MAX}`)
    }
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name')
    return withOperations<ExitCode>(call, async (operations) => {
      const { items, cursor } = await operations.audit({ limit })
      if (call.values['json']) call.out(JSON.stringify(items.map(asJson)))
      else call.out(...(items.length === 0 ? ['Nothing yet.'] : asTable(items)))
      if (cursor !== null) call.note(`There is more: --limit lists up to ${LIMIT_MAX}.`)
      return 0
    })
  },
}

/** The documented shape. Times are ISO 8601; `finishedAt` is null for running and interrupted actions. */
const asJson = ({ id, atMs, finishedAtMs, actor, action, subjectId, details, counts }: OperatorAction) => ({
  id,
  at: iso(atMs),
  finishedAt: finishedAtMs === null ? null : iso(finishedAtMs),
  ...{ actor, action, subjectId },
  details: details === null ? null : (JSON.parse(details) as unknown),
  counts,
})

const iso = (timeMs: number) => new Date(timeMs).toISOString()

function asTable(actions: readonly OperatorAction[]): string[] {
  const rows = actions.map(({ atMs, finishedAtMs, actor, action, subjectId, details, counts }) => [
    ...[iso(atMs), actor, finishedAtMs === null ? `${action} (not finished)` : action],
    ...[
      Object.entries(counts)
        .map(([name, count]) => `${count} ${name}`)
        .join(', ') || '–',
      subjectId ?? details ?? '',
    ],
  ])
  return table(['when', 'who', 'what', 'how many', 'selection'], rows)
}
