import type { Connection } from 'mariadb'
import { LEDGER_COLUMNS } from '../apply/ledger.js'
import { OBJECT_COLUMNS } from '../apply/object-rows.js'
import { OUTBOX_COLUMNS } from '../apply/outbox.js'
import { TYPED_KINDS } from '../projections/rows.js'
import { PROJECTIONS } from '../projections/tables.js'

/** A constraint that the application added to a table of the mirror and that can stop its writes, with the remedy. */
export type ForeignConstraint = {
  kind: 'unique-index' | 'foreign-key' | 'column-without-default'
  /** The table of the mirror. */
  table: string
  name: string
  message: string
}

/** The tables of the mirror: the columns that identify a row, and all columns that a worker writes. */
const TABLES: Readonly<Record<string, { keys: readonly string[]; columns: readonly string[] }>> = {
  clerk_objects: { keys: ['id'], columns: OBJECT_COLUMNS },
  webhook_events: { keys: ['event_id'], columns: LEDGER_COLUMNS },
  reaction_outbox: { keys: ['id'], columns: OUTBOX_COLUMNS },
  ...Object.fromEntries(
    TYPED_KINDS.map((kind) => {
      const { table, columns } = PROJECTIONS[kind]
      return [table, { keys: ['id', 'clerk_id'], columns: ['clerk_id', ...Object.keys(columns), 'synced_at'] }]
    }),
  ),
}

// One table of information_schema at a time: Vitess refuses joins there.
const UNIQUE_INDEXES = `SELECT TABLE_NAME AS tableName, INDEX_NAME AS name, COLUMN_NAME AS columnName
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0
  ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`

const FOREIGN_KEYS = `SELECT CONSTRAINT_NAME AS name, TABLE_NAME AS fromTable, REFERENCED_TABLE_NAME AS toTable,
    DELETE_RULE AS rule
  FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE()
  ORDER BY TABLE_NAME, CONSTRAINT_NAME`

const COLUMNS = `SELECT TABLE_NAME AS tableName, COLUMN_NAME AS name FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE() AND IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA = ''
  ORDER BY TABLE_NAME, COLUMN_NAME`

/** Reads only, and sees no more than the account may see: foreign keys of tables without rights are missing. */
export async function foreignConstraints(connection: Connection): Promise<ForeignConstraint[]> {
  const indexes = await connection.query<IndexColumn[]>(UNIQUE_INDEXES)
  const keys = await connection.query<ForeignKey[]>(FOREIGN_KEYS)
  const columns = await connection.query<{ tableName: string; name: string }[]>(COLUMNS)
  return [...uniqueIndexes(indexes), ...keys.flatMap(foreignKey), ...columns.flatMap(columnWithoutDefault)]
}

type IndexColumn = { tableName: string; name: string; columnName: string | null }

function uniqueIndexes(rows: readonly IndexColumn[]): ForeignConstraint[] {
  const columnsOf = new Map<string, IndexColumn[]>()
  for (const row of rows) {
    const id = `${row.tableName}.${row.name}`
    columnsOf.set(id, [...(columnsOf.get(id) ?? []), row])
  }
  return [...columnsOf.values()].flatMap((columns) => {
    const [{ tableName: table, name } = { tableName: '', name: '' }] = columns
    const ours = TABLES[table]
    // An index that includes one of our keys cannot collide.
    if (!ours || columns.some(({ columnName }) => ours.keys.includes(columnName ?? ''))) return []
    const list = columns.map(({ columnName }) => columnName ?? 'an expression').join(', ')
    const message =
      `the unique index ${name} on ${table} (${list}) is not of the mirror: an event whose values are taken waits until ` +
      `they are free. Clerk lets values move from one object to another: make it an index that is not unique`
    return [{ kind: 'unique-index' as const, table, name, message }]
  })
}

type ForeignKey = { name: string; fromTable: string; toTable: string; rule: string }

function foreignKey({ name, fromTable, toTable, rule }: ForeignKey): ForeignConstraint[] {
  const kind = 'foreign-key' as const
  if (TABLES[fromTable]) {
    const message =
      `the foreign key ${name} of ${fromTable} to ${toTable} is not of the mirror: an event whose object names a ` +
      'row that is not there waits. Events come in any order: drop the key'
    return [{ kind, table: fromTable, name, message }]
  }
  if (!TABLES[toTable] || rule === 'CASCADE' || rule === 'SET NULL') return []
  const message =
    `the foreign key ${name} of ${fromTable} stops the delete of rows of ${toTable} that it refers to: ` +
    'let it cascade or set NULL'
  return [{ kind, table: toTable, name, message }]
}

function columnWithoutDefault({ tableName: table, name }: { tableName: string; name: string }): ForeignConstraint[] {
  const ours = TABLES[table]
  if (!ours || ours.columns.includes(name)) return []
  const message = `the column ${name} of ${table} takes no NULL and has no default, so no row can be added: give it one`
  return [{ kind: 'column-without-default', table, name, message }]
}
