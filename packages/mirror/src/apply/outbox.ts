import { changedMembers, type Version } from '@clerk-mirror/events'
import { insert, placeholders, type SqlValue, type Statement, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { OUTBOX_COUNTED, OUTBOX_LISTED, OUTBOX_ROWS } from '../limits.js'
import type { CascadedObject } from './cascade.js'
import type { Transition } from './decide.js'

/** The changes that each reaction wants. */
export type ReactionInterests = {
  /**
   * Names of the reactions that want the change. The fields are compared only when this is called with a filter on
   * them.
   */
  to: (what: Transition['what'], kind: string, changedFields: () => readonly string[]) => readonly string[]
  /** False where no reaction wants updates: then no stored text is read for comparison. */
  wantUpdatesOf: (kind: string) => boolean
}

/** The reactions, as far as the mirror needs to know them. They may change while it is open. */
export type Reactions = {
  /** Called once for each transaction; null when no reaction wants anything: then the mirror does nothing for them. */
  interests: () => ReactionInterests | null
  /** Called before each commit; false when the interests may have changed. */
  areCurrent: (interests: ReactionInterests | null) => Promise<boolean>
  /** Called after the commit, with the names of the requested reactions. */
  onRequested: (reactions: ReadonlySet<string>) => void
}

/** A change that a reaction is to act on, as the mirror judged it: ids, and names of fields. Time in ms. */
export type ReactionRequest = {
  reaction: string
  what: Transition['what']
  kind: string
  objectId: string
  /** The owner; for a user the user itself, for an organization the organization itself. */
  userId: string | null
  organizationId: string | null
  /** Of the event that made the change: for a membership that was deleted with its user, the user's version. */
  version: Version
  /** Top-level fields whose value differs from the one that the mirror held. Empty unless the object was updated. */
  changedFields: readonly string[]
  askedAtMs: number
  /** Set for an operator's request; absent for a request that the change itself made. */
  requestId?: string
}

/** A request with its place in the outbox. */
export type OutboxRow = { rowId: bigint; request: ReactionRequest }

export const OUTBOX_COLUMNS: readonly string[] = [
  ...['reaction', 'happening', 'kind', 'object_id', 'user_id', 'organization_id'],
  ...['event_id', 'updated_at_ms', 'timestamp_ms', 'changed_fields', 'asked_at', 'request_id'],
]

/**
 * Requests the reactions to this transaction's changes. Written last, because no other transaction waits for these
 * rows; the requests commit together with their change or not at all. Returns the names of the requested reactions.
 */
export async function requestReactions(
  transaction: Transaction,
  transitions: readonly Transition[],
  cascaded: readonly CascadedObject[],
  reactions: ReactionInterests,
  nowMs: number,
): Promise<Set<string>> {
  const all = [...transitions, ...cascadedTransitions(transitions, cascaded)]
  const requests = all.flatMap((transition) => requestsFor(transition, reactions, nowMs))
  await writeOutbox(transaction, requests)
  return new Set(requests.map(({ reaction }) => reaction))
}

export async function writeOutbox(transaction: Transaction, requests: readonly ReactionRequest[]): Promise<void> {
  for (let from = 0; from < requests.length; from += OUTBOX_ROWS) {
    const rows = requests.slice(from, from + OUTBOX_ROWS).map(rowOf)
    await transaction.execute(insert({ table: 'reaction_outbox', columns: OUTBOX_COLUMNS, rows }))
  }
}

/** Objects that were deleted with their user or organization: deleted by the same event. */
function* cascadedTransitions(
  transitions: readonly Transition[],
  cascaded: readonly CascadedObject[],
): Generator<Transition> {
  const deletes = new Map(transitions.flatMap(({ what, row }) => (what === 'deleted' ? [[row.id, row] as const] : [])))
  for (const { id, kind, owners } of cascaded) {
    const parent = deletes.get(owners.userId ?? '') ?? deletes.get(owners.organizationId ?? '')
    if (!parent) continue
    const { version, tombstone } = parent
    yield { what: 'deleted', row: { id, kind, owners, version, tombstone, data: null }, before: null }
  }
}

function requestsFor(
  { what, row, before }: Transition,
  reactions: ReactionInterests,
  askedAtMs: number,
): ReactionRequest[] {
  const { id: objectId, kind, version, owners, data } = row
  let fields: readonly string[] | undefined
  const changedFields = () => {
    fields ??= what === 'updated' && before !== null && data !== null ? changedMembers(before, data) : []
    return fields
  }
  return reactions.to(what, kind, changedFields).map((reaction) => ({
    ...{ reaction, what, kind, objectId, version, askedAtMs },
    userId: kind === 'user' ? objectId : owners.userId,
    organizationId: kind === 'organization' ? objectId : owners.organizationId,
    changedFields: changedFields(),
  }))
}

const rowOf = (request: ReactionRequest): SqlValue[] => [
  ...[request.reaction, request.what, request.kind, request.objectId, request.userId, request.organizationId],
  ...[request.version.eventId, request.version.updatedAtMs, request.version.timestampMs],
  ...[JSON.stringify(request.changedFields), timeValue(request.askedAtMs), request.requestId ?? null],
]

type StoredRow = Record<'reaction' | 'kind' | 'object_id' | 'event_id' | 'changed_fields', string> &
  Record<'user_id' | 'organization_id' | 'request_id', string | null> &
  Record<'id' | 'updated_at_ms' | 'timestamp_ms', bigint> & { happening: Transition['what']; asked_at: Date }

/**
 * The oldest requests for a reaction. Locks nothing: when two processes read the same rows, the second enqueues the
 * same jobs again.
 */
export async function readOutbox(prisma: PrismaClient, reaction: string, limit: number): Promise<OutboxRow[]> {
  // Raw SQL, because a worker reads ten pages a second, and Prisma's compiler takes milliseconds for each.
  const rows = await prisma.$queryRawUnsafe<StoredRow[]>(
    `SELECT id,${OUTBOX_COLUMNS.join(',')} FROM reaction_outbox WHERE reaction=? ORDER BY id LIMIT ?`,
    reaction,
    limit,
  )
  return rows.map((row) => ({
    rowId: row.id,
    request: {
      ...{ reaction: row.reaction, what: row.happening, kind: row.kind, objectId: row.object_id },
      ...{ userId: row.user_id, organizationId: row.organization_id },
      version: {
        updatedAtMs: Number(row.updated_at_ms),
        timestampMs: Number(row.timestamp_ms),
        eventId: row.event_id,
      },
      changedFields: JSON.parse(row.changed_fields) as string[],
      askedAtMs: row.asked_at.getTime(),
      ...(row.request_id !== null && { requestId: row.request_id }),
    },
  }))
}

/** Names of the reactions with waiting requests. */
export async function outboxReactions(prisma: PrismaClient): Promise<string[]> {
  const rows = await prisma.$queryRawUnsafe<{ reaction: string }[]>('SELECT DISTINCT reaction FROM reaction_outbox')
  return rows.map(({ reaction }) => reaction)
}

/** Requests that this event made, up to OUTBOX_LISTED, among the newest OUTBOX_COUNTED rows. */
export async function outboxOf(
  prisma: PrismaClient,
  eventId: string,
): Promise<Pick<ReactionRequest, 'reaction' | 'objectId'>[]> {
  const newest = `SELECT reaction, object_id, event_id FROM reaction_outbox ORDER BY id DESC LIMIT ${OUTBOX_COUNTED}`
  const rows = await prisma.$queryRawUnsafe<{ reaction: string; object_id: string }[]>(
    `SELECT DISTINCT reaction, object_id FROM (${newest}) AS newest WHERE event_id=? LIMIT ${OUTBOX_LISTED}`,
    eventId,
  )
  return rows.map(({ reaction, object_id }) => ({ reaction, objectId: object_id }))
}

export async function removeFromOutbox(prisma: PrismaClient, rowIds: readonly bigint[]): Promise<void> {
  const { sql, values } = outboxRemoval(rowIds)
  await prisma.$executeRawUnsafe(sql, ...values)
}

export const outboxRemoval = (rowIds: readonly bigint[]): Statement => ({
  sql: `DELETE FROM reaction_outbox WHERE id IN (${placeholders(rowIds.length)})`,
  values: [...rowIds],
})

/** The requests that are not enqueued yet. */
export type OutboxDepth = {
  /** Up to OUTBOX_COUNTED. */
  rows: number
  /** Age of the oldest request; 0 without one. */
  oldestMs: number
}

/** Of one reaction, or of all. */
export async function outboxDepth(prisma: PrismaClient, nowMs: number, reaction?: string): Promise<OutboxDepth> {
  const where = reaction === undefined ? '' : 'WHERE reaction=? '
  const [counted] = await prisma.$queryRawUnsafe<{ rows: bigint }[]>(
    `SELECT COUNT(*) AS \`rows\` FROM (SELECT 1 FROM reaction_outbox ${where}LIMIT ${OUTBOX_COUNTED}) AS counted`,
    ...(reaction === undefined ? [] : [reaction]),
  )
  const oldest = await prisma.reactionOutbox.findFirst({
    ...(reaction !== undefined && { where: { reaction } }),
    ...{ orderBy: { id: 'asc' }, select: { askedAt: true } },
  })
  const oldestMs = oldest ? Math.max(0, nowMs - oldest.askedAt.getTime()) : 0
  return { rows: Number(counted?.rows ?? 0), oldestMs }
}
