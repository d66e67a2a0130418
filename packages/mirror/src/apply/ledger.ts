import type { EventSource } from '@clerk-mirror/events'
import { byKey, idList, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'

/** The result for an event. All are successes. */
export type Outcome = 'applied' | 'duplicate' | 'stale' | 'tombstoned' | 'ignored'

/** The result for an event that an operator's command removed unapplied. Not decisive. */
export type Removal = 'erased' | 'discarded'

/** The ledger's columns besides the outcome. */
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

/**
 * Only these outcomes make a later delivery a duplicate; an ignored or discarded event that comes again is decided
 * anew.
 */
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
// Every column that the deciding delivery knows: a discarded dead letter may come again with a readable body.
const REWRITTEN = ['type', 'object_id', 'instance_id', 'source', 'outcome', 'attempts', 'applied_at']

/** The ledger's state before this transaction. */
export type Claims = {
  /** Decided events: another delivery of one is a duplicate. */
  decided: ReadonlySet<string>
  /** Known events that are decided anew, such as ignored ones. */
  reopened: ReadonlySet<string>
}

/**
 * Claims the events for this transaction. The rows stay locked, so if two workers hold the same event, the second waits
 * here and then finds the first one's decision.
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

/** Writes the outcomes of events that this transaction has claimed. Rows that it added lack only their outcome. */
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
    // Without the hint a small table is scanned, and the scan waits for rows that other transactions hold.
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

/** Records that these events were taken from the queue; an event that was decided meanwhile keeps its outcome. */
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
