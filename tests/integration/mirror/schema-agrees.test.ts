import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

const SCHEMA = new URL('../../../prisma/schema.prisma', import.meta.url)

let database: TestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

test('every table and column of the schema is in the database, and no other', async () => {
  const { columns } = readSchema(await readFile(SCHEMA, 'utf8'))
  expect(await columnsOf(database)).toEqual(columns.sort())
})

test('every index of the schema is in the database, and no other', async () => {
  const { indexes } = readSchema(await readFile(SCHEMA, 'utf8'))
  expect(await indexesOf(database)).toEqual(indexes.sort())
})

test('ids tell upper from lower case, and what people write keeps every character', async () => {
  const rows = await database.query<{ column: string; collation: string }>(
    `SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) AS \`column\`, COLLATION_NAME AS collation
       FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> '_prisma_migrations' AND COLLATION_NAME IS NOT NULL`,
  )
  // external_id is no id of Clerk's: the application gives it, in any alphabet.
  const isId = (column: string) => /(_id|clerk_objects\.id)$/.test(column) && column !== 'users.external_id'
  const isLabelOfOurs = (column: string) =>
    /\.(kind|type|source|outcome|tombstone_source|reaction|happening)$/.test(column)
  const ascii = rows.filter(({ collation }) => collation === 'ascii_bin').map(({ column }) => column)
  const others = rows.filter(({ collation }) => collation === 'utf8mb4_unicode_ci').map(({ column }) => column)
  expect(ascii.length + others.length).toBe(rows.length)
  expect(ascii).toEqual(expect.arrayContaining(rows.map(({ column }) => column).filter(isId)))
  expect(ascii.filter((column) => !isId(column) && !isLabelOfOurs(column))).toEqual([])
})

test('there are no foreign keys', async () => {
  const keys = await database.query(
    `SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS
      WHERE TABLE_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'FOREIGN KEY'`,
  )
  expect(keys).toEqual([])
})

/** As lines: `table.column type null|not null default`. Widths of integers, which only MariaDB shows, are left out. */
async function columnsOf({ query }: TestDatabase): Promise<string[]> {
  const rows = await query<{ name: string; type: string; nullable: string; value: string | null; extra: string }>(
    `SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) AS name, COLUMN_TYPE AS type, IS_NULLABLE AS nullable,
         COLUMN_DEFAULT AS value, EXTRA AS extra
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> '_prisma_migrations'`,
  )
  return rows
    .map(({ name, type, nullable, value, extra }) => {
      const fallback = extra === 'auto_increment' ? extra : value === null || value === 'NULL' ? 'none' : value
      return line(name, type.replace(/^(int|bigint)\(\d+\)$/, '$1'), nullable === 'YES', fallback)
    })
    .sort()
}

/** As lines: `table.index (columns) unique|not unique`. */
async function indexesOf({ query }: TestDatabase): Promise<string[]> {
  const rows = await query<{ line: string }>(
    `SELECT CONCAT(TABLE_NAME, '.', INDEX_NAME, ' (', GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX), ') ',
         IF(MAX(NON_UNIQUE) = 0, 'unique', 'not unique')) AS line
       FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> '_prisma_migrations'
      GROUP BY TABLE_NAME, INDEX_NAME`,
  )
  return rows.map((row) => row.line).sort()
}

const line = (name: string, type: string, isNullable: boolean, fallback: string) =>
  `${name} ${type} ${isNullable ? 'null' : 'not null'} default ${fallback}`

/** The same lines from the language of Prisma, as far as this schema uses it: any other line is an error. */
function readSchema(text: string): { columns: string[]; indexes: string[] } {
  const models = [...text.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)].map(([, name = '', body = '']) => ({ name, body }))
  const names = new Set(models.map(({ name }) => name))
  const columns: string[] = []
  const indexes: string[] = []
  for (const { body } of models) {
    const lines = body.split('\n').map((text) => text.replace(/\/\/.*/, '').trim())
    const table = /@@map\("(\w+)"\)/.exec(body)?.[1] ?? unknownTo(body)
    const fields = lines.filter((text) => /^\w/.test(text)).map(readField)
    const stored = fields.filter(({ type }) => !names.has(type))
    const columnOf = (field: string) => stored.find(({ name }) => name === field)?.column ?? unknownTo(field)

    for (const { column, attributes, type, isNullable } of stored) {
      columns.push(line(`${table}.${column}`, sqlType(type, attributes), isNullable, defaultIn(attributes)))
      if (/@id\b/.test(attributes)) indexes.push(`${table}.PRIMARY (${column}) unique`)
      if (/@unique\b/.test(attributes)) indexes.push(`${table}.${table}_${column}_key (${column}) unique`)
    }
    for (const text of lines.filter((text) => text.startsWith('@@') && !text.startsWith('@@map('))) {
      const [, kind = '', list = ''] = /^@@(index|unique)\(\[([\w, ]+)\]\)$/.exec(text) ?? unknownTo(text)
      const parts = list.split(',').map((field) => columnOf(field.trim()))
      const [suffix, unique] = kind === 'unique' ? ['key', 'unique'] : ['idx', 'not unique']
      indexes.push(`${table}.${table}_${parts.join('_')}_${suffix} (${parts.join(',')}) ${unique}`)
    }
  }
  return { columns, indexes }
}

function readField(text: string) {
  const [, name = '', type = '', mark = '', attributes = ''] =
    /^(\w+)\s+(\w+)(\?|\[\])?\s*(.*)$/.exec(text) ?? unknownTo(text)
  const column = /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? name
  return { name, type, column, attributes, isNullable: mark === '?' }
}

function sqlType(type: string, attributes: string): string {
  const native = /@db\.(\w+)(\(\d+\))?/.exec(attributes)
  if (native !== null) return `${native[1]?.toLowerCase()}${native[2] ?? ''}`
  const byDefault: Record<string, string> = { Int: 'int', BigInt: 'bigint', Boolean: 'tinyint(1)' }
  return byDefault[type] ?? unknownTo(`${type} ${attributes}`)
}

function defaultIn(attributes: string): string {
  const value = /@default\((\w+)/.exec(attributes)?.[1]
  if (value === undefined) return 'none'
  if (value === 'autoincrement') return 'auto_increment'
  if (value === 'true' || value === 'false') return value === 'true' ? '1' : '0'
  return /^\d+$/.test(value) ? value : unknownTo(attributes)
}

function unknownTo(what: string): never {
  throw new Error(`this test cannot read in the schema: ${what}`)
}
