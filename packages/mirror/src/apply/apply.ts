import type { Change } from '@clerk-mirror/events'
import type { Transaction } from '../database/transaction.js'
import { type FutureVersion, futureVersionsOf } from '../operate/future-versions.js'
import { removeRows, writeRows } from '../projections/rows.js'
import { type CascadedHead, cascadeTombstones } from './cascade.js'
import { type Decision, decide } from './decide.js'
import { lockHeads, writeHeads, writeSubjects } from './heads.js'
import { claimEvents, type LedgerEntry, type Outcome, recordOutcomes } from './ledger.js'
import { askForReactions, type ReactionInterests } from './outbox.js'

/** An event that was decoded and is to be applied. Without a change it only gets its ledger row. */
export type Arrival = { entry: LedgerEntry; change: Change | null }

/** Each event's outcome in the batch's order, the reactions that were asked for, and objects far in the future. */
export type AppliedBatch = { outcomes: Outcome[]; asked: ReadonlySet<string>; future: readonly FutureVersion[] }

/**
 * Applies a batch within one transaction. The order of the statements is the order in which locks are taken, and is the
 * same for every applier: ledger rows by event id, heads by object id (of the objects and of whom they name), typed
 * rows by table, then what hangs on a deleted parent, and last what reactions are asked for.
 */
export async function applyBatch(
  transaction: Transaction,
  batch: readonly Arrival[],
  nowMs: number,
  reactions: ReactionInterests | null,
): Promise<AppliedBatch> {
  const positions = firstPositions(batch)
  const distinct = batch.filter((arrival, index) => positions.get(arrival.entry.eventId) === index)
  const claims = await claimEvents(
    transaction,
    distinct.map((arrival) => arrival.entry),
    nowMs,
  )
  const fresh = distinct.filter(({ entry }) => !claims.decided.has(entry.eventId))
  const claimed = fresh.flatMap(({ change, entry }) =>
    change ? [{ change, source: entry.source, receivedAtMs: entry.receivedAtMs }] : [],
  )
  const outcomes = new Map<string, Outcome>(fresh.map(({ entry }) => [entry.eventId, 'ignored']))
  let asked: ReadonlySet<string> = new Set()
  let future: readonly FutureVersion[] = []
  if (claimed.length > 0) {
    const changes = claimed.map(({ change }) => change)
    const heads = await lockHeads(transaction, headsOf(changes), reactions ? comparedBy(reactions, changes) : [])
    const decision = decide(claimed, heads, nowMs)
    future = futureVersionsOf(claimed, heads, decision, nowMs)
    const cascaded = await write(transaction, decision, nowMs)
    if (reactions) asked = await askForReactions(transaction, decision.happenings, cascaded, reactions, nowMs)
    for (const [eventId, outcome] of decision.outcomes) outcomes.set(eventId, outcome)
  }
  const outcomeOf = (eventId: string) => outcomes.get(eventId) ?? 'duplicate'
  const freshEntries = fresh.map((arrival) => arrival.entry)
  await recordOutcomes(transaction, freshEntries, claims, outcomeOf, nowMs)
  const inOrder = batch.map(({ entry }, index) =>
    positions.get(entry.eventId) === index ? outcomeOf(entry.eventId) : 'duplicate',
  )
  return { outcomes: inOrder, asked, future }
}

/** Objects whose stored text a reaction wants to have compared with the new one. */
const comparedBy = (reactions: ReactionInterests, changes: readonly Change[]): string[] => [
  ...new Set(
    changes.flatMap(({ deleted, objectKind, objectId }) =>
      !deleted && reactions.wantUpdatesOf(objectKind) ? [objectId] : [],
    ),
  ),
]

/** A lease that was lost can bring the same event into a batch twice. */
function firstPositions(batch: readonly Arrival[]): Map<string, number> {
  const positions = new Map<string, number>()
  for (const [index, { entry }] of batch.entries()) {
    if (!positions.has(entry.eventId)) positions.set(entry.eventId, index)
  }
  return positions
}

/** The heads that a batch writes and those that its objects name, with the kind a stub would have. */
export function headsOf(changes: readonly Change[]): Map<string, string> {
  const heads = new Map<string, string>()
  for (const { subjects, deleted } of changes) {
    // A tombstone stays one whoever it names: only a living object must not outlive its parents.
    if (deleted) continue
    if (subjects.userId !== null) heads.set(subjects.userId, 'user')
    if (subjects.organizationId !== null) heads.set(subjects.organizationId, 'organization')
  }
  for (const { objectId, objectKind } of changes) heads.set(objectId, objectKind)
  return heads
}

/** Returns what went with a user or organization that was deleted. */
async function write(
  transaction: Transaction,
  { writes, subjects }: Decision,
  nowMs: number,
): Promise<readonly CascadedHead[]> {
  const heads = writes.map(({ head }) => head)
  await writeHeads(transaction, heads, nowMs)
  await writeSubjects(transaction, subjects)
  const rows = writes.flatMap(({ head, change }) =>
    !head.tombstone && !change.deleted && change.object
      ? [{ clerkId: head.id, object: change.object, syncedAtMs: nowMs }]
      : [],
  )
  await writeRows(transaction, rows)
  const tombstoned = heads.filter((head) => head.tombstone)
  if (tombstoned.length === 0) return []
  await removeRows(transaction, tombstoned)
  const idsOf = (kind: string) => tombstoned.filter((head) => head.kind === kind).map(({ id }) => id)
  const deleted = { userIds: idsOf('user'), organizationIds: idsOf('organization') }
  return (await cascadeTombstones(transaction, deleted, nowMs)).heads
}
