import { KINDS_THAT_OUTLIVE_THEIR_USER } from '@clerk-mirror/events'
import { lockHeads } from '../apply/heads.js'
import { placeholders, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { ERASE_BATCH } from '../limits.js'
import { removeRows, sumOf } from '../projections/rows.js'
import { type Counts, readCounts } from './audit-log.js'

/*
 * What the tables hold about a user goes in short transactions: first their own tombstone, under which no new object
 * can come to name them, then what names them, page by page. The counts of each page are written into the action's
 * record by the same transaction, so that no crash can part them.
 */

/** Tombstones the user and removes their own row, as the event `user.deleted` would. Once more is harmless. */
export async function eraseUserHead(
  transaction: Transaction,
  userId: string,
  actionId: bigint,
  nowMs: number,
): Promise<Counts> {
  const heads = await lockHeads(transaction, new Map([[userId, 'user']]))
  const changed = await tombstone(transaction, [userId], 'operator', nowMs)
  const rows = await removeRows(transaction, [{ id: userId, kind: 'user' }])
  // A stub stood for nobody yet: it becomes a tombstone too, but nothing was stored.
  const own = heads.get(userId)?.version ? changed : 0
  const outbox = { reaction_outbox: await forgetAsked(transaction, userId) }
  const counts = { objects: own, ...sumOf([rows, outbox]) }
  await addCounts(transaction, actionId, counts)
  return counts
}

/** Tombstones the next objects whose user this is; objects that belong to many stay and forget the user. */
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
  const heads = await transaction.query<{ id: string; kind: string }>(
    `SELECT id, kind FROM clerk_objects WHERE user_id=? AND deleted_at IS NULL AND NOT ${isShared} ` +
      `LIMIT ${ERASE_BATCH} FOR UPDATE`,
    [userId, ...shared],
  )
  const counts = await removeObjects(transaction, heads, 'parent', nowMs)
  await addCounts(transaction, actionId, counts)
  return { isDone: forgot < ERASE_BATCH && heads.length < ERASE_BATCH, counts }
}

/** Makes tombstones of these heads, which are locked, and removes their rows. */
export async function removeObjects(
  transaction: Transaction,
  heads: readonly { id: string; kind: string }[],
  source: 'operator' | 'parent',
  nowMs: number,
): Promise<Counts> {
  if (heads.length === 0) return {}
  const ids = heads.map(({ id }) => id)
  const objects = await tombstone(transaction, ids, source, nowMs)
  return { objects, ...sumOf([await removeRows(transaction, heads)]) }
}

/** The version stays: a tombstone outranks them all, and no head may name an event that the ledger does not know. */
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

/**
 * Reactions that were requested about the user and have no job yet; a row about the user names them as its user too.
 */
const forgetAsked = (transaction: Transaction, userId: string): Promise<number> =>
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
