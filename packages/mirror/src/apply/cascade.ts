import { KINDS_THAT_OUTLIVE_THEIR_USER, type Owners } from '@clerk-mirror/events'
import { placeholders, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { type Removed, removeRows } from '../projections/rows.js'

/** The result of a cascade: removed typed rows by table, and object rows that became tombstones. */
export type Cascaded = { rows: Removed; objects: readonly CascadedObject[] }
export type CascadedObject = { id: string; kind: string; owners: Owners }

/**
 * Tombstones every object whose user or organization this transaction tombstoned. Their object rows are locked, so no
 * other transaction is between reading them alive and writing an object that names them. The typed rows follow their
 * object rows, because an object may have an owner that its typed row does not show.
 */
export async function cascadeTombstones(
  transaction: Transaction,
  deleted: { userIds: readonly string[]; organizationIds: readonly string[] },
  nowMs: number,
): Promise<Cascaded> {
  await forgetUsers(transaction, deleted.userIds)
  const ofUsers = await tombstoneWhere(transaction, 'user_id', deleted.userIds, nowMs)
  const ofOrganizations = await tombstoneWhere(transaction, 'organization_id', deleted.organizationIds, nowMs)
  const objects = [...ofUsers, ...ofOrganizations]
  return { rows: await removeRows(transaction, objects), objects }
}

async function forgetUsers(transaction: Transaction, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return
  const shared = KINDS_THAT_OUTLIVE_THEIR_USER
  const where = `user_id IN (${placeholders(userIds.length)}) AND kind IN (${placeholders(shared.length)})`
  const sql = `UPDATE clerk_objects SET user_id=NULL WHERE ${where}`
  await transaction.execute({ sql, values: [...userIds, ...shared] })
}

async function tombstoneWhere(
  transaction: Transaction,
  column: 'user_id' | 'organization_id',
  ids: readonly string[],
  nowMs: number,
): Promise<CascadedObject[]> {
  if (ids.length === 0) return []
  const where = `${column} IN (${placeholders(ids.length)}) AND deleted_at IS NULL`
  type Row = { id: string; kind: string; user_id: string | null; organization_id: string | null }
  const objects = await transaction.query<Row>(
    `SELECT id, kind, user_id, organization_id FROM clerk_objects WHERE ${where} FOR UPDATE`,
    ids,
  )
  const now = timeValue(nowMs)
  const tombstone = "deleted_at=?, tombstone_source='parent', data=NULL, synced_at=?"
  const sql = `UPDATE clerk_objects SET ${tombstone} WHERE ${where}`
  if (objects.length > 0) await transaction.execute({ sql, values: [now, now, ...ids] })
  return objects.map(({ id, kind, user_id, organization_id }) => ({
    ...{ id, kind },
    owners: { userId: user_id, organizationId: organization_id },
  }))
}
