import type { ClerkObject, TypedKind } from '@clerk-mirror/events'
import { byKey, placeholders, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { REMOVE_BATCH } from '../limits.js'
import { PROJECTIONS, type Projection } from './tables.js'

/** A typed row to write: an object under its Clerk id, and the time in ms when its object row was written. */
export type Row = { clerkId: string; object: ClerkObject; syncedAtMs: number }

/** Rows removed, by table. */
export type Removed = Readonly<Record<string, number>>

/** In the order in which every transaction writes their tables. */
export const TYPED_KINDS = Object.keys(PROJECTIONS) as TypedKind[]

export const tableOf = (kind: TypedKind): string => PROJECTIONS[kind].table

/** Writes Clerk's columns of these rows, table by table, each sorted by id. The object rows are locked. */
export async function writeRows(transaction: Transaction, rows: readonly Row[]): Promise<void> {
  for (const kind of TYPED_KINDS) {
    const ofKind = rows.filter(({ object }) => object.kind === kind)
    if (ofKind.length > 0) await writeTable(transaction, projectionOf(kind), ofKind)
  }
}

/** The registry pairs a kind with the projection of its objects; the compiler loses the pair to a variable kind. */
const projectionOf = (kind: TypedKind) => PROJECTIONS[kind] as Projection<unknown>

async function writeTable(
  transaction: Transaction,
  { table, columns }: Projection<unknown>,
  rows: readonly Row[],
): Promise<void> {
  const names = ['clerk_id', ...Object.keys(columns), 'synced_at']
  const values = [...rows]
    .sort(byKey(({ clerkId }) => clerkId))
    .map(({ clerkId, object, syncedAtMs }): SqlValue[] => [
      clerkId,
      ...Object.values(columns).map((column) => column(object.object)),
      timeValue(syncedAtMs),
    ])
  await transaction.execute(upsert({ table, columns: names, updates: names.slice(1), rows: values }))
}

/** Removes the rows of tombstoned objects, and the application's dependent rows. */
export async function removeRows(
  transaction: Transaction,
  tombstoned: readonly { id: string; kind: string }[],
): Promise<Removed> {
  const removed: Removed[] = []
  for (const kind of TYPED_KINDS) {
    const ids = tombstoned
      .filter((object) => object.kind === kind)
      .map(({ id }) => id)
      .sort()
    for (let from = 0; from < ids.length; from += REMOVE_BATCH) {
      removed.push(await removeWhere(transaction, projectionOf(kind), ids.slice(from, from + REMOVE_BATCH)))
    }
  }
  return sumOf(removed)
}

/** Removes those of these rows that were made from Clerk's events; rows that the application made itself stay. */
export function removeSyncedRows(
  transaction: Transaction,
  kind: TypedKind,
  clerkIds: readonly string[],
): Promise<Removed> {
  return removeWhere(transaction, projectionOf(kind), [...clerkIds].sort(), 'synced_at IS NOT NULL')
}

async function removeWhere(
  transaction: Transaction,
  { table, dependents = [] }: Projection<unknown>,
  clerkIds: readonly string[],
  condition = 'TRUE',
): Promise<Removed> {
  if (clerkIds.length === 0) return {}
  const where = `clerk_id IN (${placeholders(clerkIds.length)}) AND ${condition}`
  const removed: Record<string, number> = {}
  if (dependents.length > 0) {
    // Locks the rows, so that a transaction which adds a dependent under the row's lock comes before, or finds no row.
    const rows = await transaction.query<{ id: bigint }>(`SELECT id FROM ${table} WHERE ${where} FOR UPDATE`, clerkIds)
    const ids = rows.map(({ id }) => id)
    for (const dependent of ids.length > 0 ? dependents : []) {
      const sql = `DELETE FROM ${dependent.table} WHERE ${dependent.column} IN (${placeholders(ids.length)})`
      removed[dependent.table] = await transaction.execute({ sql, values: ids })
    }
  }
  removed[table] = await transaction.execute({ sql: `DELETE FROM ${table} WHERE ${where}`, values: [...clerkIds] })
  return removed
}

/** Tables without removed rows are left out. */
export function sumOf(counts: readonly Removed[]): Removed {
  const sum: Record<string, number> = {}
  for (const [table, count] of counts.flatMap((each) => Object.entries(each))) {
    if (count > 0) sum[table] = (sum[table] ?? 0) + count
  }
  return sum
}
