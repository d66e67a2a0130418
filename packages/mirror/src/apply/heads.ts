import type { Subjects, Version } from '@clerk-mirror/events'
import { byKey, idList, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'

/** Who made a tombstone. Only one that Clerk did not send can be lifted. */
export type TombstoneSource = 'clerk' | 'parent' | 'reconcile' | 'operator'

/** What a decision needs to know of a stored head. A stub has no version. `data` where it was asked for, else null. */
export type Head = { version: Version | null; deleted: boolean; subjects: Subjects; data: string | null }

export type HeadWrite = {
  id: string
  kind: string
  version: Version
  subjects: Subjects
  tombstone: { source: TombstoneSource; deletedAtMs: number } | null
  /** The object's newest text; null for a tombstone. */
  data: string | null
}

export const HEAD_COLUMNS: readonly string[] = [
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
 * Locks the heads of these objects, absent ones by writing a stub: one statement, sorted by id. A locking read would
 * not do. Of an absent row there is nothing to lock but a gap, and two transactions that each hold a gap lock deadlock;
 * without any lock a membership survives the user whose delete commits beside it. `withData`: whose text is read too.
 */
export async function lockHeads(
  transaction: Transaction,
  kindOfId: ReadonlyMap<string, string>,
  withData: readonly string[] = [],
): Promise<Map<string, Head>> {
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
      const subjects = { userId: row.user_id, organizationId: row.organization_id }
      const deleted = Number(row.deleted) === 1
      return [row.id, { version: versionOf(row), deleted, subjects, data: row.data ?? null }]
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

/** Writes heads that this transaction has locked and decided; what stood there before does not matter any more. */
export async function writeHeads(transaction: Transaction, heads: readonly HeadWrite[], nowMs: number): Promise<void> {
  if (heads.length === 0) return
  const rows = [...heads]
    .sort(byKey((head) => head.id))
    .map((head): SqlValue[] => [
      head.id,
      head.kind,
      head.version.updatedAtMs,
      head.version.timestampMs,
      head.version.eventId,
      head.subjects.userId,
      head.subjects.organizationId,
      timeValue(head.tombstone?.deletedAtMs ?? null),
      head.tombstone?.source ?? null,
      timeValue(nowMs),
      head.data,
    ])
  await transaction.execute(
    upsert({ table: 'clerk_objects', columns: HEAD_COLUMNS, updates: HEAD_COLUMNS.slice(1), rows }),
  )
}

/** Notes whom these heads are about besides what their newest version says. They are locked. */
export async function writeSubjects(
  transaction: Transaction,
  subjectsOf: ReadonlyMap<string, Subjects>,
): Promise<void> {
  for (const [id, { userId, organizationId }] of subjectsOf) {
    const sql = 'UPDATE clerk_objects SET user_id=?, organization_id=? WHERE id=?'
    await transaction.execute({ sql, values: [userId, organizationId, id] })
  }
}
