import type { Counts } from './actions.js'
import { cascadeTombstones } from './cascade.js'
import { lockHeads } from './heads.js'
import { removeRows, sumOf } from './projections/rows.js'
import { timeValue } from './sql.js'
import type { Transaction } from './transaction.js'

/**
 * Tombstones a user and removes what the tables hold about them, as the event `user.deleted` would. The counts are
 * written into the action's record by the same transaction, so that no crash can part them. Once more is harmless.
 *
 * Returns the rows removed by table, and as `objects` the living heads that became tombstones.
 */
export async function eraseUser(
  transaction: Transaction,
  userId: string,
  actionId: bigint,
  nowMs: number,
): Promise<Counts> {
  const heads = await lockHeads(transaction, new Map([[userId, 'user']]))
  const now = timeValue(nowMs)
  // The version stays: a tombstone outranks them all, and no head may name an event that the ledger does not know.
  const changed = await transaction.execute({
    sql:
      "UPDATE clerk_objects SET deleted_at=?, tombstone_source='operator', data=NULL, synced_at=? " +
      'WHERE id=? AND deleted_at IS NULL',
    values: [now, now, userId],
  })
  const rows = await removeRows(transaction, [{ id: userId, kind: 'user' }])
  const cascaded = await cascadeTombstones(transaction, { userIds: [userId], organizationIds: [] }, nowMs)
  // A stub stood for nobody yet: it becomes a tombstone too, but nothing was stored.
  const own = heads.get(userId)?.version ? changed : 0
  const outbox = { reaction_outbox: await forgetAsked(transaction, userId) }
  const counts = { objects: own + cascaded.heads.length, ...sumOf([rows, cascaded.rows, outbox]) }
  const sql = 'UPDATE operator_actions SET counts=? WHERE id=?'
  await transaction.execute({ sql, values: [JSON.stringify(counts), actionId] })
  return counts
}

/** What reactions were asked for about the user and not handed over yet. */
const forgetAsked = (transaction: Transaction, userId: string): Promise<number> =>
  transaction.execute({ sql: 'DELETE FROM reaction_outbox WHERE user_id=? OR object_id=?', values: [userId, userId] })
