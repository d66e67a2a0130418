/*
 * Text of the multi-row statements. Rows are sorted by key before they get here, so that concurrent transactions lock in
 * the same order.
 */

/** A value that the driver's text protocol carries. Times are ms since 1970. */
export type SqlValue = string | number | bigint | boolean | null | Date
export type Statement = { sql: string; values: SqlValue[] }

export const placeholders = (count: number): string => new Array(count).fill('?').join(',')

type Insert = {
  table: string
  columns: readonly string[]
  rows: readonly (readonly SqlValue[])[]
}
type Upsert = Insert & {
  /** Columns that an existing row takes over; none means that the row is only locked. */
  updates: readonly string[]
}

/**
 * `VALUES(column)` is deprecated in MySQL but is the one spelling that MariaDB and MySQL both take. The first column
 * is the key: assigning it to itself changes nothing, and locks.
 */
export function upsert({ table, columns, updates, rows }: Upsert): Statement {
  const assignments = updates.map((column) => `${column}=VALUES(${column})`).join(',') || `${columns[0]}=${columns[0]}`
  const { sql, values } = insert({ table, columns, rows })
  return { sql: `${sql} ON DUPLICATE KEY UPDATE ${assignments}`, values }
}

export function insert({ table, columns, rows }: Insert): Statement {
  const values: SqlValue[] = []
  const texts = rows.map((row) => `(${row.map((value) => literal(value) ?? parameter(value, values)).join(',')})`)
  return { sql: `INSERT INTO ${table} (${columns.join(',')}) VALUES ${texts.join(',')}`, values }
}

/**
 * A value that needs no quoting stands in the text itself: Prisma spends more on a parameter than the server on the whole
 * row. Text never does, for what people wrote must reach no statement's text: errors show it.
 */
function literal(value: SqlValue): string | null {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return null
  if (value instanceof Date) return `'${value.toISOString().slice(0, -1).replace('T', ' ')}'`
  return String(typeof value === 'boolean' ? Number(value) : value)
}

function parameter(value: SqlValue, values: SqlValue[]): string {
  values.push(value)
  return '?'
}

/** The last ms that a DATETIME holds: 9999-12-31T23:59:59.999Z. */
const LAST_TIME_MS = 253_402_300_799_999

/** A time beyond what a column holds is the last one that it does: a delete stays one, whenever Clerk says it was. */
export const timeValue = (ms: number | null): Date | null => (ms === null ? null : new Date(Math.min(ms, LAST_TIME_MS)))

export const byKey =
  <T>(key: (item: T) => string) =>
  (a: T, b: T) =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0
