/*
 * Text of the multi-row statements. Rows are sorted by key before they get here, so that concurrent transactions lock
 * in the same order.
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
  /** Columns that an existing row takes over; with none, the row is only locked. */
  updates: readonly string[]
}

/** Columns of ids, and of Clerk's and our own keywords: no text that people wrote. */
const NAMES: ReadonlySet<string> = new Set([
  ...['id', 'clerk_id', 'event_id', 'object_id', 'instance_id', 'user_id', 'organization_id'],
  ...['user_clerk_id', 'organization_clerk_id', 'kind', 'type', 'source', 'outcome', 'tombstone_source'],
  ...['reaction', 'happening'],
])

/** A name in Clerk's form: it needs no escaping. */
const PLAIN_NAME = /^[\w.-]+$/

/**
 * The first column is the table's key. `VALUES(column)` is deprecated in MySQL but is the one spelling that MariaDB and
 * MySQL both take.
 */
export function upsert({ table, columns, updates, rows }: Upsert): Statement {
  const [key = ''] = columns
  const assignments = [ownRowOnly(key), ...updates.map((column) => `${column}=VALUES(${column})`)].join(',')
  const { sql, values } = insert({ table, columns, rows })
  return { sql: `${sql} ON DUPLICATE KEY UPDATE ${assignments}`, values }
}

/**
 * `ON DUPLICATE KEY UPDATE` matches any unique key, including one that the application added, and would overwrite the
 * row of another id. The key of the right row is assigned to itself, which changes nothing and locks; for any other row
 * the sum exceeds a BIGINT, so that the whole statement fails with error 1690. The sum depends on the row, because a
 * constant would be computed, and fail, before any row is read.
 */
const ownRowOnly = (key: string) => `${key}=IF(${key}=VALUES(${key}),${key},9223372036854775807+CHAR_LENGTH(${key}))`

export function insert({ table, columns, rows }: Insert): Statement {
  const values: SqlValue[] = []
  const isName = columns.map((column) => NAMES.has(column))
  const texts = rows.map((row) => {
    const cells = row.map((value, index) => literal(value, isName[index] === true) ?? parameter(value, values))
    return `(${cells.join(',')})`
  })
  return { sql: `INSERT INTO ${table} (${columns.join(',')}) VALUES ${texts.join(',')}`, values }
}

/** Ids as the text within `IN (…)`; those that need escaping become further parameters. */
export const idList = (ids: readonly string[], values: SqlValue[]): string =>
  ids.map((id) => literal(id, true) ?? parameter(id, values)).join(',')

/**
 * A value that needs no escaping is written into the text itself: Prisma spends more on a parameter than the server on
 * the whole row. Text that people wrote is always a parameter: errors show a statement's text.
 */
function literal(value: SqlValue, isName: boolean): string | null {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return isName && PLAIN_NAME.test(value) ? `'${value}'` : null
  if (value instanceof Date) return `'${value.toISOString().slice(0, -1).replace('T', ' ')}'`
  return String(typeof value === 'boolean' ? Number(value) : value)
}

function parameter(value: SqlValue, values: SqlValue[]): string {
  values.push(value)
  return '?'
}

/** The last ms that a DATETIME holds: 9999-12-31T23:59:59.999Z. */
const LAST_TIME_MS = 253_402_300_799_999

/**
 * A time beyond the column's range becomes the last one in range: a delete stays a delete, whatever time Clerk gives.
 */
export const timeValue = (ms: number | null): Date | null => (ms === null ? null : new Date(Math.min(ms, LAST_TIME_MS)))

export const byKey =
  <T>(key: (item: T) => string) =>
  (a: T, b: T) =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0
