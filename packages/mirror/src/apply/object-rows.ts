import type { Owners, Version } from '@clerk-mirror/events'
import { byKey, idList, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'

/** The origin of a tombstone. Only one that Clerk did not send can be lifted. */
export type TombstoneSource = 'clerk' | 'parent' | 'reconcile' | 'operator'

/** The stored state that a decision needs. A stub has no version. `data` is null unless it was requested. */
export type LockedObject = { version: Version | null; deleted: boolean; owners: Owners; data: string | null }

export type ObjectRow = {
  id: string
  kind: string
  version: Version
  owners: Owners
  tombstone: { source: TombstoneSource; deletedAtMs: number } | null
  /** The object's newest text; null for a tombstone. */
  data: string | null
}

export const OBJECT_COLUMNS: readonly string[] = [
  'id',
  'kind',
  'updated_at_ms',
  'timestamp_ms',
  'event_id',
  'user_id',
  'organization_id',
  'deleted_at',
  'tombstone_source',
  'synced_at',
  'data',
]
const STUB_COLUMNS = ['id', 'kind', 'updated_at_ms', 'timestamp_ms']

/**
 * Locks the object rows of these objects, absent ones by writing a stub: one statement, sorted by id. A locking read
 * would not do. An absent row offers nothing to lock but a gap, and two transactions that each hold a gap lock
 * deadlock; without any lock a membership survives the user whose delete commits beside it. `withData`: ids of objects
 * whose text is read too.
 */
export async function lockObjects(
  transaction: Transaction,
  kindOfId: ReadonlyMap<string, string>,
  withData: readonly string[] = [],
): Promise<Map<string, LockedObject>> {
  const ids = [...kindOfId.keys()].sort()
  const stubs = ids.map((id): SqlValue[] => [id, kindOfId.get(id) ?? '', 0, 0])
  await transaction.execute(upsert({ table: 'clerk_objects', columns: STUB_COLUMNS, updates: [], rows: stubs }))
  type Row = Stored & { id: string; user_id: string | null; organization_id: string | null; deleted: unknown }
  const values: SqlValue[] = []
  const data = withData.length > 0 ? `, IF(id IN (${idList(withData, values)}), data, NULL) AS data` : ''
  const rows = await transaction.query<Row & { data?: string | null }>(
    'SELECT id, updated_at_ms, timestamp_ms, event_id, user_id, organization_id, deleted_at IS NOT NULL AS deleted' +
      `${data} FROM clerk_objects WHERE id IN (${idList(ids, values)})`,
    values,
  )
  return new Map(
    rows.map((row) => {
      const owners = { userId: row.user_id, organizationId: row.organization_id }
      const deleted = Number(row.deleted) === 1
      return [row.id, { version: versionOf(row), deleted, owners, data: row.data ?? null }]
    }),
  )
}

type Stored = { updated_at_ms: bigint; timestamp_ms: bigint; event_id: string | null }

function versionOf(row: Stored): Version | null {
  if (row.event_id === null) return null
  return {
    updatedAtMs: Number(row.updated_at_ms),
    timestampMs: Number(row.timestamp_ms),
    eventId: row.event_id,
  }
}

/** Writes object rows that this transaction has locked and decided, over their previous content. */
export async function writeObjects(
  transaction: Transaction,
  objects: readonly ObjectRow[],
  nowMs: number,
): Promise<void> {
  if (objects.length === 0) return
  const rows = [...objects]
    .sort(byKey(({ id }) => id))
    .map((object): SqlValue[] => [
      object.id,
      object.kind,
      object.version.updatedAtMs,
      object.version.timestampMs,
      object.version.eventId,
      object.owners.userId,
      object.owners.organizationId,
      timeValue(object.tombstone?.deletedAtMs ?? null),
      object.tombstone?.source ?? null,
      timeValue(nowMs),
      object.data,
    ])
  await transaction.execute(
    upsert({ table: 'clerk_objects', columns: OBJECT_COLUMNS, updates: OBJECT_COLUMNS.slice(1), rows }),
  )
}

/** Adds owners that an older version named. The object rows are locked. */
export async function writeOwners(transaction: Transaction, ownersOf: ReadonlyMap<string, Owners>): Promise<void> {
  for (const [id, { userId, organizationId }] of ownersOf) {
    const sql = 'UPDATE clerk_objects SET user_id=?, organization_id=? WHERE id=?'
    await transaction.execute({ sql, values: [userId, organizationId, id] })
  }
}
