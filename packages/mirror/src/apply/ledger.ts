import type { EventSource } from '@clerk-mirror/events'
import { byKey, idList, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'

/** What became of an event. All are successes. */
export type Outcome = 'applied' | 'duplicate' | 'stale' | 'tombstoned' | 'ignored'

/** What a recorded command made of an event that was not applied. Not decisive. */
export type Removal = 'erased' | 'discarded'

/** What the ledger says of an event besides its outcome. */
export type LedgerEntry = {
  eventId: string
  type: string
  objectId: string | null
  instanceId: string | null
  source: EventSource
  /** Tries, this one included. */
  attempts: number
  receivedAtMs: number
}

/** Only these make a later delivery a duplicate; an ignored or discarded event that comes again is decided anew. */
export const DECISIVE: readonly string[] = ['applied', 'stale', 'tombstoned'] satisfies Outcome[]

const PENDING = 'pending'

export const LEDGER_COLUMNS: readonly string[] = [
  'event_id',
  'type',
  'object_id',
  'instance_id',
  'source',
  'outcome',
  'attempts',
  'received_at',
  'applied_at',
]
// All that the deciding delivery says: a dead letter that was discarded may come again with a body that can be read.
const REWRITTEN = ['type', 'object_id', 'instance_id', 'source', 'outcome', 'attempts', 'applied_at']

/** What the ledger said of events before this transaction. */
export type Claims = {
  /** Decided: a delivery of these is a duplicate. */
  decided: ReadonlySet<string>
  /** Known, and decided anew, such as an ignored event. */
  reopened: ReadonlySet<string>
}

/**
 * Claims the events for this transaction. The rows stay locked, so of two workers that hold the same event the second
 * waits here and then finds what the first decided.
 */
export async function claimEvents(
  transaction: Transaction,
  entries: readonly LedgerEntry[],
  nowMs: number,
): Promise<Claims> {
  const rows = rowsOf(entries, nowMs, () => PENDING)
  await transaction.execute(upsert({ table: 'webhook_events', columns: LEDGER_COLUMNS, updates: [], rows }))
  const values: SqlValue[] = []
  const ids = entries.map((entry) => entry.eventId)
  const stored = await transaction.query<{ event_id: string; outcome: string }>(
    `SELECT event_id, outcome FROM webhook_events WHERE event_id IN (${idList(ids, values)})`,
    values,
  )
  const known = stored.filter((row) => row.outcome !== PENDING)
  const [decided, reopened] = [new Set<string>(), new Set<string>()]
  for (const { event_id, outcome } of known) (DECISIVE.includes(outcome) ? decided : reopened).add(event_id)
  return { decided, reopened }
}

/**
 * Writes what became of events that this transaction has claimed. Of those that it added, only the outcome is missing.
 */
export async function recordOutcomes(
  transaction: Transaction,
  entries: readonly LedgerEntry[],
  { reopened }: Claims,
  outcomeOf: (eventId: string) => Outcome | Removal,
  nowMs: number,
): Promise<void> {
  const added = entries.filter(({ eventId }) => !reopened.has(eventId)).map(({ eventId }) => eventId)
  const idsOf = new Map<string, string[]>(added.map((eventId) => [outcomeOf(eventId), []]))
  for (const eventId of added.sort()) idsOf.get(outcomeOf(eventId))?.push(eventId)
  for (const [outcome, ids] of idsOf) {
    // Without the hint a small table is scanned, past rows that others hold.
    const values: SqlValue[] = [outcome]
    const where = `FORCE INDEX (PRIMARY) SET outcome=? WHERE event_id IN (${idList(ids, values)})`
    await transaction.execute({ sql: `UPDATE webhook_events ${where}`, values })
  }
  const rows = rowsOf(
    entries.filter((entry) => reopened.has(entry.eventId)),
    nowMs,
    outcomeOf,
  )
  if (rows.length === 0) return
  await transaction.execute(upsert({ table: 'webhook_events', columns: LEDGER_COLUMNS, updates: REWRITTEN, rows }))
}

/** Notes that these events were taken from the queue; an event that was decided meanwhile stays as it was decided. */
export async function recordRemoval(
  transaction: Transaction,
  entries: readonly LedgerEntry[],
  removal: Removal,
  nowMs: number,
): Promise<void> {
  if (entries.length === 0) return
  const claims = await claimEvents(transaction, entries, nowMs)
  const open = entries.filter((entry) => !claims.decided.has(entry.eventId))
  await recordOutcomes(transaction, open, claims, () => removal, nowMs)
}

function rowsOf(entries: readonly LedgerEntry[], nowMs: number, outcomeOf: (eventId: string) => string): SqlValue[][] {
  return [...entries]
    .sort(byKey((entry) => entry.eventId))
    .map((entry) => [
      entry.eventId,
      entry.type,
      entry.objectId,
      entry.instanceId,
      entry.source,
      outcomeOf(entry.eventId),
      entry.attempts,
      timeValue(entry.receivedAtMs),
      timeValue(nowMs),
    ])
}
