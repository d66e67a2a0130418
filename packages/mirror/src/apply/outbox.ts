import { changedMembers, type Version } from '@clerk-mirror/events'
import { insert, placeholders, type SqlValue, type Statement, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { OUTBOX_COUNTED, OUTBOX_LISTED, OUTBOX_ROWS } from '../limits.js'
import type { CascadedHead } from './cascade.js'
import type { Happening } from './decide.js'

/** Which reactions want which changes. */
export type ReactionInterests = {
  /** Names of those that want the change. The fields are compared when they are asked for. */
  to: (what: Happening['what'], kind: string, changedFields: () => readonly string[]) => readonly string[]
  /** False where nobody wants to hear of updates: then nothing is read to compare. */
  wantUpdatesOf: (kind: string) => boolean
}

/** The reactions as far as the mirror has to know them. They may change while it is open. */
export type Reactions = {
  /** Asked once for each transaction; null when nothing is wanted: then the mirror does nothing for them. */
  interests: () => ReactionInterests | null
  /** Asked before each commit: false when others than these may be wanted by now. */
  areCurrent: (interests: ReactionInterests | null) => Promise<boolean>
  /** Called after the commit, with those that were asked for in it. */
  onAsked: (reactions: ReadonlySet<string>) => void
}

/** A change that a reaction was asked for, as the mirror judged it: ids, and names of fields. Time in ms. */
export type AskedReaction = {
  reaction: string
  what: Happening['what']
  kind: string
  objectId: string
  /** Whom it is about; of a user the user, of an organization the organization. */
  userId: string | null
  organizationId: string | null
  /** Of the event that did it: of a membership that went with its user, the user's. */
  version: Version
  /** Top-level fields whose value is another than the mirror held. Empty unless the object was updated. */
  changedFields: readonly string[]
  askedAtMs: number
  /** Of an operator who asked for it on purpose; absent where the change itself did. */
  requestId?: string
}

/** The place of an asked reaction in the outbox. */
export type OutboxRow = { rowId: bigint; asked: AskedReaction }

export const OUTBOX_COLUMNS: readonly string[] = [
  ...['reaction', 'happening', 'kind', 'object_id', 'user_id', 'organization_id'],
  ...['event_id', 'updated_at_ms', 'timestamp_ms', 'changed_fields', 'asked_at', 'request_id'],
]

/**
 * Asks for the reactions to what this transaction did. Written last: nobody waits for these rows, and what is asked for
 * commits or does not together with its change. Returns the names of the reactions that were asked for.
 */
export async function askForReactions(
  transaction: Transaction,
  happenings: readonly Happening[],
  cascaded: readonly CascadedHead[],
  reactions: ReactionInterests,
  nowMs: number,
): Promise<Set<string>> {
  const all = [...happenings, ...cascadedHappenings(happenings, cascaded)]
  const asked = all.flatMap((happening) => askedFor(happening, reactions, nowMs))
  await writeOutbox(transaction, asked)
  return new Set(asked.map(({ reaction }) => reaction))
}

export async function writeOutbox(transaction: Transaction, asked: readonly AskedReaction[]): Promise<void> {
  for (let from = 0; from < asked.length; from += OUTBOX_ROWS) {
    const rows = asked.slice(from, from + OUTBOX_ROWS).map(rowOf)
    await transaction.execute(insert({ table: 'reaction_outbox', columns: OUTBOX_COLUMNS, rows }))
  }
}

/** What went with a deleted user or organization was deleted too, by the same event. */
function* cascadedHappenings(
  happenings: readonly Happening[],
  cascaded: readonly CascadedHead[],
): Generator<Happening> {
  const deletes = new Map(
    happenings.flatMap(({ what, head }) => (what === 'deleted' ? [[head.id, head] as const] : [])),
  )
  for (const { id, kind, subjects } of cascaded) {
    const parent = deletes.get(subjects.userId ?? '') ?? deletes.get(subjects.organizationId ?? '')
    if (!parent) continue
    const { version, tombstone } = parent
    yield { what: 'deleted', head: { id, kind, subjects, version, tombstone, data: null }, before: null }
  }
}

function askedFor({ what, head, before }: Happening, reactions: ReactionInterests, askedAtMs: number): AskedReaction[] {
  const { id: objectId, kind, version, subjects, data } = head
  let fields: readonly string[] | undefined
  const changedFields = () => {
    fields ??= what === 'updated' && before !== null && data !== null ? changedMembers(before, data) : []
    return fields
  }
  return reactions.to(what, kind, changedFields).map((reaction) => ({
    ...{ reaction, what, kind, objectId, version, askedAtMs },
    userId: kind === 'user' ? objectId : subjects.userId,
    organizationId: kind === 'organization' ? objectId : subjects.organizationId,
    changedFields: changedFields(),
  }))
}

const rowOf = (asked: AskedReaction): SqlValue[] => [
  ...[asked.reaction, asked.what, asked.kind, asked.objectId, asked.userId, asked.organizationId],
  ...[asked.version.eventId, asked.version.updatedAtMs, asked.version.timestampMs],
  ...[JSON.stringify(asked.changedFields), timeValue(asked.askedAtMs), asked.requestId ?? null],
]

type StoredRow = Record<'reaction' | 'kind' | 'object_id' | 'event_id' | 'changed_fields', string> &
  Record<'user_id' | 'organization_id' | 'request_id', string | null> &
  Record<'id' | 'updated_at_ms' | 'timestamp_ms', bigint> & { happening: Happening['what']; asked_at: Date }

/** The oldest of a reaction. Locks nothing: of two who read the same rows, the second hands over what is there. */
export async function readOutbox(prisma: PrismaClient, reaction: string, limit: number): Promise<OutboxRow[]> {
  // In SQL, for a worker reads ten pages a second, and Prisma's compiler takes milliseconds for each.
  const rows = await prisma.$queryRawUnsafe<StoredRow[]>(
    `SELECT id,${OUTBOX_COLUMNS.join(',')} FROM reaction_outbox WHERE reaction=? ORDER BY id LIMIT ?`,
    reaction,
    limit,
  )
  return rows.map((row) => ({
    rowId: row.id,
    asked: {
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

/** Names of the reactions that something waits for. */
export async function outboxReactions(prisma: PrismaClient): Promise<string[]> {
  const rows = await prisma.$queryRawUnsafe<{ reaction: string }[]>('SELECT DISTINCT reaction FROM reaction_outbox')
  return rows.map(({ reaction }) => reaction)
}

/** Reactions to what this event did, up to OUTBOX_LISTED, that are among the newest OUTBOX_COUNTED rows. */
export async function outboxOf(
  prisma: PrismaClient,
  eventId: string,
): Promise<Pick<AskedReaction, 'reaction' | 'objectId'>[]> {
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

/** What waits to be handed over. */
export type OutboxDepth = {
  /** Up to OUTBOX_COUNTED. */
  rows: number
  /** Since the oldest was asked for; 0 without one. */
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
