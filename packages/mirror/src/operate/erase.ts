import { KINDS_THAT_OUTLIVE_THEIR_USER } from '@clerk-mirror/events'
import { lockObjects } from '../apply/object-rows.js'
import { placeholders, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { ERASE_BATCH } from '../limits.js'
import { removeRows, sumOf } from '../projections/rows.js'
import { type Counts, readCounts } from './audit-log.js'

/*
 * A user's data is removed in short transactions: first the user becomes a tombstone, after which no new object can
 * name them, then the objects that name them, page by page. The transaction of each page also writes its counts into
 * the action's record, so that a crash cannot separate the two.
 */

/** Tombstones the user and removes their typed row, as the event `user.deleted` would. Idempotent. */
export async function eraseUserObject(
  transaction: Transaction,
  userId: string,
  actionId: bigint,
  nowMs: number,
): Promise<Counts> {
  const objects = await lockObjects(transaction, new Map([[userId, 'user']]))
  const changed = await tombstone(transaction, [userId], 'operator', nowMs)
  const rows = await removeRows(transaction, [{ id: userId, kind: 'user' }])
  // A stub had no stored object: it becomes a tombstone too, but does not count.
  const own = objects.get(userId)?.version ? changed : 0
  const outbox = { reaction_outbox: await deleteRequests(transaction, userId) }
  const counts = { objects: own, ...sumOf([rows, outbox]) }
  await addCounts(transaction, actionId, counts)
  return counts
}

/** Tombstones the next objects that the user owns; shared objects stay and lose their reference to the user. */
export async function eraseOwnedPage(
  transaction: Transaction,
  userId: string,
  actionId: bigint,
  nowMs: number,
): Promise<{ isDone: boolean; counts: Counts }> {
  const shared = KINDS_THAT_OUTLIVE_THEIR_USER
  const isShared = `kind IN (${placeholders(shared.length)})`
  const forgot = await transaction.execute({
    sql: `UPDATE clerk_objects SET user_id=NULL WHERE user_id=? AND ${isShared} LIMIT ${ERASE_BATCH}`,
    values: [userId, ...shared],
  })
  const owned = await transaction.query<{ id: string; kind: string }>(
    `SELECT id, kind FROM clerk_objects WHERE user_id=? AND deleted_at IS NULL AND NOT ${isShared} ` +
      `LIMIT ${ERASE_BATCH} FOR UPDATE`,
    [userId, ...shared],
  )
  const counts = await removeObjects(transaction, owned, 'parent', nowMs)
  await addCounts(transaction, actionId, counts)
  return { isDone: forgot < ERASE_BATCH && owned.length < ERASE_BATCH, counts }
}

/** Turns these locked object rows into tombstones, and removes their typed rows. */
export async function removeObjects(
  transaction: Transaction,
  stored: readonly { id: string; kind: string }[],
  source: 'operator' | 'parent',
  nowMs: number,
): Promise<Counts> {
  if (stored.length === 0) return {}
  const ids = stored.map(({ id }) => id)
  const objects = await tombstone(transaction, ids, source, nowMs)
  return { objects, ...sumOf([await removeRows(transaction, stored)]) }
}

/**
 * The version stays: a tombstone outranks all versions, and an object row must not name an event that the ledger lacks.
 */
function tombstone(
  transaction: Transaction,
  ids: readonly string[],
  source: 'operator' | 'parent',
  nowMs: number,
): Promise<number> {
  const now = timeValue(nowMs)
  const sql =
    'UPDATE clerk_objects SET deleted_at=?, tombstone_source=?, data=NULL, synced_at=? ' +
    `WHERE id IN (${placeholders(ids.length)}) AND deleted_at IS NULL`
  return transaction.execute({ sql, values: [now, source, now, ...ids] })
}

/** Deletes requests about the user that have no job yet; a request about the user object has `user_id` too. */
const deleteRequests = (transaction: Transaction, userId: string): Promise<number> =>
  transaction.execute({ sql: 'DELETE FROM reaction_outbox WHERE user_id=?', values: [userId] })

/** Adds to the counts of an action's record. */
export async function addCounts(transaction: Transaction, actionId: bigint, counts: Counts): Promise<void> {
  const select = 'SELECT counts FROM operator_actions WHERE id=? FOR UPDATE'
  const [action] = await transaction.query<{ counts: string | null }>(select, [actionId])
  const sum = sumCounts(readCounts(action?.counts ?? null), counts)
  const sql = 'UPDATE operator_actions SET counts=? WHERE id=?'
  await transaction.execute({ sql, values: [JSON.stringify(sum), actionId] })
}

export function sumCounts(...all: readonly Counts[]): Counts {
  const sum: Record<string, number> = {}
  for (const [name, count] of all.flatMap((counts) => Object.entries(counts))) sum[name] = (sum[name] ?? 0) + count
  return sum
}
