import type { Change } from '@clerk-mirror/events'
import type { Transaction } from '../database/transaction.js'
import { removeRows, writeRows } from '../projections/rows.js'
import { type CascadedObject, cascadeTombstones } from './cascade.js'
import { type Decision, decide } from './decide.js'
import { type FutureVersion, futureVersionsOf } from './future-versions.js'
import { claimEvents, type LedgerEntry, type Outcome, recordOutcomes } from './ledger.js'
import { lockObjects, writeObjects, writeOwners } from './object-rows.js'
import { type ReactionInterests, requestReactions } from './outbox.js'

/** A decoded event to apply. An event without a change only gets its ledger row. */
export type DecodedEvent = { entry: LedgerEntry; change: Change | null }

/** The outcome of each event in batch order, the names of the requested reactions, and objects far in the future. */
export type AppliedBatch = { outcomes: Outcome[]; requested: ReadonlySet<string>; future: readonly FutureVersion[] }

/**
 * Applies a batch within one transaction. The statements run in the order in which locks are taken, which is the same
 * for every applier: ledger rows by event id, object rows by object id (of the objects and of their owners), typed rows
 * by table, then the objects that a deleted parent owned, and last the reaction requests.
 */
export async function applyBatch(
  transaction: Transaction,
  batch: readonly DecodedEvent[],
  nowMs: number,
  reactions: ReactionInterests | null,
): Promise<AppliedBatch> {
  const positions = firstPositions(batch)
  const distinct = batch.filter((event, index) => positions.get(event.entry.eventId) === index)
  const claims = await claimEvents(
    transaction,
    distinct.map((event) => event.entry),
    nowMs,
  )
  const fresh = distinct.filter(({ entry }) => !claims.decided.has(entry.eventId))
  const claimed = fresh.flatMap(({ change, entry }) =>
    change ? [{ change, source: entry.source, receivedAtMs: entry.receivedAtMs }] : [],
  )
  const outcomes = new Map<string, Outcome>(fresh.map(({ entry }) => [entry.eventId, 'ignored']))
  let requested: ReadonlySet<string> = new Set()
  let future: readonly FutureVersion[] = []
  if (claimed.length > 0) {
    const changes = claimed.map(({ change }) => change)
    const objects = await lockObjects(
      transaction,
      objectsToLock(changes),
      reactions ? comparedBy(reactions, changes) : [],
    )
    const decision = decide(claimed, objects, nowMs)
    future = futureVersionsOf(claimed, objects, decision, nowMs)
    const cascaded = await write(transaction, decision, nowMs)
    if (reactions) requested = await requestReactions(transaction, decision.transitions, cascaded, reactions, nowMs)
    for (const [eventId, outcome] of decision.outcomes) outcomes.set(eventId, outcome)
  }
  const outcomeOf = (eventId: string) => outcomes.get(eventId) ?? 'duplicate'
  const freshEntries = fresh.map((event) => event.entry)
  await recordOutcomes(transaction, freshEntries, claims, outcomeOf, nowMs)
  const inOrder = batch.map(({ entry }, index) =>
    positions.get(entry.eventId) === index ? outcomeOf(entry.eventId) : 'duplicate',
  )
  return { outcomes: inOrder, requested, future }
}

/** Objects whose stored text must be compared with the new one, because a reaction wants their updates. */
const comparedBy = (reactions: ReactionInterests, changes: readonly Change[]): string[] => [
  ...new Set(
    changes.flatMap(({ deleted, objectKind, objectId }) =>
      !deleted && reactions.wantUpdatesOf(objectKind) ? [objectId] : [],
    ),
  ),
]

/** A lease that was lost can bring the same event into a batch twice. */
function firstPositions(batch: readonly DecodedEvent[]): Map<string, number> {
  const positions = new Map<string, number>()
  for (const [index, { entry }] of batch.entries()) {
    if (!positions.has(entry.eventId)) positions.set(entry.eventId, index)
  }
  return positions
}

/**
 * The object rows that a batch writes and those of the owners that its objects name, with the kind a stub would have.
 */
export function objectsToLock(changes: readonly Change[]): Map<string, string> {
  const kindOfId = new Map<string, string>()
  for (const { owners, deleted } of changes) {
    // A tombstone stays one whatever its owners are: only a living object must not outlive its parents.
    if (deleted) continue
    if (owners.userId !== null) kindOfId.set(owners.userId, 'user')
    if (owners.organizationId !== null) kindOfId.set(owners.organizationId, 'organization')
  }
  for (const { objectId, objectKind } of changes) kindOfId.set(objectId, objectKind)
  return kindOfId
}

/** Returns the objects that were deleted together with their user or organization. */
async function write(
  transaction: Transaction,
  { writes, owners }: Decision,
  nowMs: number,
): Promise<readonly CascadedObject[]> {
  const objects = writes.map(({ row }) => row)
  await writeObjects(transaction, objects, nowMs)
  await writeOwners(transaction, owners)
  const rows = writes.flatMap(({ row, change }) =>
    !row.tombstone && !change.deleted && change.object
      ? [{ clerkId: row.id, object: change.object, syncedAtMs: nowMs }]
      : [],
  )
  await writeRows(transaction, rows)
  const tombstoned = objects.filter(({ tombstone }) => tombstone)
  if (tombstoned.length === 0) return []
  await removeRows(transaction, tombstoned)
  const idsOf = (kind: string) => tombstoned.filter((object) => object.kind === kind).map(({ id }) => id)
  const deleted = { userIds: idsOf('user'), organizationIds: idsOf('organization') }
  return (await cascadeTombstones(transaction, deleted, nowMs)).objects
}
