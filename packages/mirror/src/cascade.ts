import { KINDS_THAT_OUTLIVE_THEIR_USER } from '@clerk-mirror/events'
import { type Removed, removeRowsAbout } from './projections/rows.js'
import { placeholders, timeValue } from './sql.js'
import type { Transaction } from './transaction.js'

/** What went: typed rows by table, and heads that became tombstones. */
export type Cascaded = { rows: Removed; heads: number }

/**
 * Tombstones whatever names a user or organization that this transaction tombstoned. Those heads are locked, so no
 * other transaction is between reading them alive and writing an object that names them.
 */
export async function cascadeTombstones(
  transaction: Transaction,
  deleted: { userIds: readonly string[]; organizationIds: readonly string[] },
  nowMs: number,
): Promise<Cascaded> {
  const rows = await removeRowsAbout(transaction, deleted)
  const shared = KINDS_THAT_OUTLIVE_THEIR_USER
  const isShared = `kind IN (${placeholders(shared.length)})`
  const tombstone = "deleted_at=?, tombstone_source='parent', data=NULL, synced_at=?"
  const now = timeValue(nowMs)
  let heads = 0
  if (deleted.userIds.length > 0) {
    const ofUsers = `user_id IN (${placeholders(deleted.userIds.length)})`
    await transaction.execute({
      sql: `UPDATE clerk_objects SET user_id=NULL WHERE ${ofUsers} AND ${isShared}`,
      values: [...deleted.userIds, ...shared],
    })
    heads += await transaction.execute({
      sql: `UPDATE clerk_objects SET ${tombstone} WHERE ${ofUsers} AND deleted_at IS NULL`,
      values: [now, now, ...deleted.userIds],
    })
  }
  if (deleted.organizationIds.length > 0) {
    heads += await transaction.execute({
      sql:
        `UPDATE clerk_objects SET ${tombstone} ` +
        `WHERE organization_id IN (${placeholders(deleted.organizationIds.length)}) AND deleted_at IS NULL`,
      values: [now, now, ...deleted.organizationIds],
    })
  }
  return { rows, heads }
}
