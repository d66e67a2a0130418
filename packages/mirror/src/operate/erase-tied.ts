import { asJsonObject, KINDS_THAT_OUTLIVE_THEIR_USER, type Person, searchTextsOf, tieTo } from '@clerk-mirror/events'
import { lockObjects } from '../apply/object-rows.js'
import { placeholders, type SqlValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { ERASE_BATCH, ERASE_SEARCH_PAGE, REBUILD_BYTES_MAX } from '../limits.js'
import type { Counts } from './audit-log.js'
import { addCounts, removeObjects } from './erase.js'

/*
 * Objects that name a person where no column says so: an invitation to their address, an object of an unknown kind.
 * They are found in the stored texts, by a walk through the primary key. The server searches the texts and returns ids;
 * each candidate text is parsed here, under the lock of its object row.
 */

export type TiedRequest = {
  actionId: bigint
  person: Person
  /** Objects that an operator chose to remove, whatever their content. */
  also: ReadonlySet<string>
}

/**
 * An object that mentions the person and was left as it is. `members`: names of the top-level members with a mention.
 */
export type MentioningObject = { id: string; kind: string; members: readonly string[] }

export type TiedPage = {
  /** The last id that was read; null at the end of the table. */
  upTo: string | null
  looked: number
  counts: Counts
  mentions: readonly MentioningObject[]
}

/** Ids of the next objects whose text may name the person, in batches that fit one transaction. Locks nothing. */
export async function findTied(prisma: PrismaClient, person: Person, after: string) {
  const next = `SELECT id FROM clerk_objects WHERE id > ? ORDER BY id LIMIT ${ERASE_SEARCH_PAGE}`
  const ids = (await prisma.$queryRawUnsafe<{ id: string }[]>(next, after)).map(({ id }) => id)
  const last = ids.at(-1)
  if (last === undefined) return { upTo: null, looked: 0, batches: [] }
  const fragments = searchTextsOf(person)
  // `LOWER`, because a binary comparison costs a quarter of one with a full collation.
  const holds = fragments.map(() => 'LOCATE(?, LOWER(data) COLLATE utf8mb4_bin) > 0').join(' OR ')
  const found = await prisma.$queryRawUnsafe<{ id: string; bytes: SqlValue }[]>(
    `SELECT id, LENGTH(data) AS bytes FROM clerk_objects WHERE id > ? AND id <= ? AND deleted_at IS NULL AND (${holds}) ` +
      'ORDER BY id',
    ...[after, last, ...fragments],
  )
  const upTo = ids.length < ERASE_SEARCH_PAGE ? null : last
  return { upTo, looked: ids.length, batches: batchesOf(found) }
}

function batchesOf(found: readonly { id: string; bytes: SqlValue }[]): string[][] {
  const batches: string[][] = []
  let bytes = 0
  for (const row of found) {
    const batch = batches.at(-1)
    bytes += Number(row.bytes)
    if (batch && batch.length < ERASE_BATCH && bytes <= REBUILD_BYTES_MAX) batch.push(row.id)
    else {
      batches.push([row.id])
      bytes = Number(row.bytes)
    }
  }
  return batches
}

/** Removes the objects among these that belong to the person; returns those that only mention them. */
export async function eraseTied(
  transaction: Transaction,
  { actionId, person, also }: TiedRequest,
  ids: readonly string[],
  nowMs: number,
): Promise<{ counts: Counts; mentions: readonly MentioningObject[] }> {
  if (ids.length === 0) return { counts: {}, mentions: [] }
  type Row = { id: string; kind: string; user_id: string | null; data: string }
  const where = `WHERE id IN (${placeholders(ids.length)}) AND deleted_at IS NULL AND data IS NOT NULL`
  const kinds = await transaction.query<Row>(`SELECT id, kind FROM clerk_objects ${where}`, ids)
  if (kinds.length === 0) return { counts: {}, mentions: [] }
  await lockObjects(transaction, new Map(kinds.map(({ id, kind }) => [id, kind])))
  const rows = await transaction.query<Row>(`SELECT id, kind, user_id, data FROM clerk_objects ${where}`, ids)
  const theirs: Row[] = []
  const mentions: MentioningObject[] = []
  for (const row of rows) {
    const { id, kind, data } = row
    // The user's own object row and the objects that it owns follow when the user becomes a tombstone.
    if (id === person.userId || (row.user_id === person.userId && isRemovable(kind))) continue
    const tie = tieTo(person, { kind, id, data: asJsonObject(data), userId: row.user_id })
    if (tie?.kind === 'theirs' || (also.has(id) && isRemovable(kind))) theirs.push(row)
    else if (tie) mentions.push({ id, kind, members: tie.members })
  }
  const counts = await removeObjects(transaction, theirs, 'operator', nowMs)
  if (theirs.length > 0) await addCounts(transaction, actionId, counts)
  return { counts, mentions }
}

/** Other people are erased by their own id, and shared objects belong to no single person. */
const isRemovable = (kind: string) => kind !== 'user' && !KINDS_THAT_OUTLIVE_THEIR_USER.includes(kind)
