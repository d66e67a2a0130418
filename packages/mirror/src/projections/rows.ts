import type { ClerkObject, TypedKind } from '@clerk-mirror/events'
import { byKey, placeholders, type SqlValue, timeValue, upsert } from '../sql.js'
import type { Transaction } from '../transaction.js'
import { PROJECTIONS, type Projection } from './tables.js'

/** A typed row in the making: an object under its Clerk id. */
export type Row = { clerkId: string; object: ClerkObject }

const KINDS = Object.keys(PROJECTIONS) as TypedKind[]

export const isTyped = (kind: string): kind is TypedKind => Object.hasOwn(PROJECTIONS, kind)

/** Writes what Clerk owns of these rows, table by table, each sorted by id. The heads are locked. */
export async function writeRows(transaction: Transaction, rows: readonly Row[], nowMs: number): Promise<void> {
  for (const kind of KINDS) {
    const ofKind = rows.filter(({ object }) => object.kind === kind)
    if (ofKind.length > 0) await writeTable(transaction, projectionOf(kind), ofKind, nowMs)
  }
}

/** The registry pairs a kind with the projection of its objects; the compiler loses the pair to a variable kind. */
const projectionOf = (kind: TypedKind) => PROJECTIONS[kind] as Projection<unknown>

async function writeTable(
  transaction: Transaction,
  { table, columns }: Projection<unknown>,
  rows: readonly Row[],
  nowMs: number,
): Promise<void> {
  const names = ['clerk_id', ...Object.keys(columns), 'synced_at']
  const values = [...rows]
    .sort(byKey(({ clerkId }) => clerkId))
    .map(({ clerkId, object }): SqlValue[] => [
      clerkId,
      ...Object.values(columns).map((column) => column(object.object)),
      timeValue(nowMs),
    ])
  await transaction.execute(upsert({ table, columns: names, updates: names.slice(1), rows: values }))
}

/** Removes the rows of tombstoned objects, and what the application hung on them. */
export async function removeRows(
  transaction: Transaction,
  tombstoned: readonly { id: string; kind: string }[],
): Promise<void> {
  for (const kind of KINDS) {
    const ids = tombstoned.filter((head) => head.kind === kind).map(({ id }) => id)
    await removeWhere(transaction, projectionOf(kind), 'clerk_id', ids.sort())
  }
}

/** Removes the rows, of any table, that are about these users or organizations. */
export async function removeRowsAbout(
  transaction: Transaction,
  { userIds, organizationIds }: { userIds: readonly string[]; organizationIds: readonly string[] },
): Promise<void> {
  for (const projection of KINDS.map(projectionOf)) {
    if (projection.userColumn) await removeWhere(transaction, projection, projection.userColumn, userIds)
    if (projection.organizationColumn) {
      await removeWhere(transaction, projection, projection.organizationColumn, organizationIds)
    }
  }
}

async function removeWhere(
  transaction: Transaction,
  { table, dependents = [] }: Projection<unknown>,
  column: string,
  values: readonly string[],
): Promise<void> {
  if (values.length === 0) return
  const where = `${column} IN (${placeholders(values.length)})`
  if (dependents.length > 0) {
    // Locks the rows, so that whoever adds a dependent under the row's lock comes before or finds no row.
    const rows = await transaction.query<{ id: bigint }>(`SELECT id FROM ${table} WHERE ${where} FOR UPDATE`, values)
    const ids = rows.map(({ id }) => id)
    for (const dependent of ids.length > 0 ? dependents : []) {
      const sql = `DELETE FROM ${dependent.table} WHERE ${dependent.column} IN (${placeholders(ids.length)})`
      await transaction.execute({ sql, values: ids })
    }
  }
  await transaction.execute({ sql: `DELETE FROM ${table} WHERE ${where}`, values: [...values] })
}
