/*
 * Text of the multi-row statements. The shape of a statement depends on the number of rows alone, and rows are sorted
 * by key before they get here, so that concurrent transactions lock in the same order.
 */

/** A value that the driver's text protocol carries. Times are ms since 1970. */
export type SqlValue = string | number | bigint | boolean | null | Date
export type Statement = { sql: string; values: SqlValue[] }

export const placeholders = (count: number): string => new Array(count).fill('?').join(',')

type Upsert = {
  table: string
  columns: readonly string[]
  /** Columns that an existing row takes over; none means that the row is only locked. */
  updates: readonly string[]
  rows: readonly (readonly SqlValue[])[]
}

/**
 * `VALUES(column)` is deprecated in MySQL but is the one spelling that MariaDB and MySQL both take. The first column
 * is the key: assigning it to itself changes nothing, and locks.
 */
export function upsert({ table, columns, updates, rows }: Upsert): Statement {
  const row = `(${placeholders(columns.length)})`
  const assignments = updates.map((column) => `${column}=VALUES(${column})`).join(',') || `${columns[0]}=${columns[0]}`
  return {
    sql:
      `INSERT INTO ${table} (${columns.join(',')}) VALUES ${new Array(rows.length).fill(row).join(',')} ` +
      `ON DUPLICATE KEY UPDATE ${assignments}`,
    values: rows.flat(),
  }
}

export const timeValue = (ms: number | null): Date | null => (ms === null ? null : new Date(ms))

export const byKey =
  <T>(key: (item: T) => string) =>
  (a: T, b: T) =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0
