import { KINDS_THAT_OUTLIVE_THEIR_USER, type Subjects } from '@clerk-mirror/events'
import { placeholders, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { type Removed, removeRows } from '../projections/rows.js'

/** What went: typed rows by table, and heads that became tombstones. */
export type Cascaded = { rows: Removed; heads: readonly CascadedHead[] }
export type CascadedHead = { id: string; kind: string; subjects: Subjects }

/**
 * Tombstones whatever names a user or organization that this transaction tombstoned. Those heads are locked, so no
 * other transaction is between reading them alive and writing an object that names them. The typed rows follow their
 * heads: an object may be about somebody whom its row does not show.
 */
export async function cascadeTombstones(
  transaction: Transaction,
  deleted: { userIds: readonly string[]; organizationIds: readonly string[] },
  nowMs: number,
): Promise<Cascaded> {
  await forgetUsers(transaction, deleted.userIds)
  const ofUsers = await tombstoneWhere(transaction, 'user_id', deleted.userIds, nowMs)
  const ofOrganizations = await tombstoneWhere(transaction, 'organization_id', deleted.organizationIds, nowMs)
  const heads = [...ofUsers, ...ofOrganizations]
  return { rows: await removeRows(transaction, heads), heads }
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
): Promise<CascadedHead[]> {
  if (ids.length === 0) return []
  const where = `${column} IN (${placeholders(ids.length)}) AND deleted_at IS NULL`
  type Row = { id: string; kind: string; user_id: string | null; organization_id: string | null }
  const heads = await transaction.query<Row>(
    `SELECT id, kind, user_id, organization_id FROM clerk_objects WHERE ${where} FOR UPDATE`,
    ids,
  )
  const now = timeValue(nowMs)
  const tombstone = "deleted_at=?, tombstone_source='parent', data=NULL, synced_at=?"
  const sql = `UPDATE clerk_objects SET ${tombstone} WHERE ${where}`
  if (heads.length > 0) await transaction.execute({ sql, values: [now, now, ...ids] })
  return heads.map(({ id, kind, user_id, organization_id }) => ({
    ...{ id, kind },
    subjects: { userId: user_id, organizationId: organization_id },
  }))
}
