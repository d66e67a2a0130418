import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import type { DatabaseOptions } from '../../../packages/mirror/src/database/database-url.js'
import { type MigrationEvent, migrate } from '../../../packages/mirror/src/migrate/migrate.js'
import { migrationStatus } from '../../../packages/mirror/src/operate/migration-status.js'
import { absentTestDatabase, MIGRATIONS, openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

const CREATE_A = 'CREATE TABLE a (id INT PRIMARY KEY);'
const CREATE_B = "-- it's; the second\nCREATE TABLE b (id INT PRIMARY KEY);\nINSERT INTO b VALUES (1);"

/** A folder of migrations; `write` adds to it or changes it. */
async function openFolder(migrations: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'clerk-mirror-migrations-'))
  const write = async (name: string, sql: string) => {
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'migration.sql'), sql)
  }
  await writeFile(join(folder, 'migration_lock.toml'), 'provider = "mysql"')
  for (const [name, sql] of Object.entries(migrations)) await write(name, sql)
  return { folder, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

const pendingMigrations = async (options: DatabaseOptions, folder: string) =>
  (await migrationStatus(options, folder)).pending

async function run(database: TestDatabase, folder: string) {
  const events: MigrationEvent[] = []
  const result = await migrate(database.options, { folder, log: (entry) => events.push(entry) })
  return { ...result, events }
}

type RecordRow = { [column: string]: unknown; migration_name: string; logs: string | null }
const recordsOf = (database: TestDatabase) =>
  database.query<RecordRow>('SELECT * FROM _prisma_migrations ORDER BY started_at, migration_name')

const tablesOf = async (database: TestDatabase) =>
  (
    await database.query<{ name: string }>(
      'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()',
    )
  )
    .map(({ name }) => name)
    .sort()

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing was refused',
    (error: { code: unknown }) => error.code,
  )

describe('migrations', () => {
  test('make a database out of nothing, and have nothing to do the second time', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '2_b': CREATE_B, '1_a': CREATE_A })

    const first = await run(database, migrations.folder)
    expect(first).toMatchObject({ applied: ['1_a', '2_b'], alreadyApplied: 0 })
    expect(first.events).toContainEqual({ event: 'database.created', database: database.options.database })
    expect(await tablesOf(database)).toEqual(['_prisma_migrations', 'a', 'b'])

    expect(await run(database, migrations.folder)).toMatchObject({ applied: [], alreadyApplied: 2 })
  })

  test('of this repository can be applied, and leave nothing pending', async () => {
    await using database = await openTestDatabase()
    expect(await pendingMigrations(database.options, MIGRATIONS)).toEqual([])
    expect(await tablesOf(database)).toContain('users')
  })

  test('are applied once when three start at once', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': `DO SLEEP(0.5); ${CREATE_A}`, '2_b': CREATE_B })

    const results = await Promise.all([1, 2, 3].map(() => run(database, migrations.folder)))
    expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 2])
    const events = results.flatMap((result) => result.events.map(({ event }) => event))
    expect(events.filter((event) => event === 'migration.waiting').length).toBeGreaterThanOrEqual(2)
    expect(await recordsOf(database)).toHaveLength(2)
  })

  test('that were added later are applied alone', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A })
    await run(database, migrations.folder)
    await migrations.write('2_b', CREATE_B)

    expect(await pendingMigrations(database.options, migrations.folder)).toEqual(['2_b'])
    expect(await run(database, migrations.folder)).toMatchObject({ applied: ['2_b'], alreadyApplied: 1 })
    expect(await pendingMigrations(database.options, migrations.folder)).toEqual([])
  })

  test('of a newer release do not keep an older one from starting', async () => {
    await using database = absentTestDatabase()
    await using newer = await openFolder({ '1_a': CREATE_A, '2_b': CREATE_B })
    await using older = await openFolder({ '1_a': CREATE_A })
    await run(database, newer.folder)

    const result = await run(database, older.folder)
    expect(result).toMatchObject({ applied: [], alreadyApplied: 1 })
    expect(result.events).toContainEqual({ event: 'migration.unknown', migration: '2_b' })
  })
})

describe('the record of a migration', () => {
  test('is kept in the table that Prisma makes', async () => {
    await using database = await openTestDatabase()
    const columns = await database.query<{ line: string }>(
      `SELECT CONCAT_WS(' ', COLUMN_NAME, REPLACE(COLUMN_TYPE, 'int(10)', 'int'), IS_NULLABLE,
           LOWER(REPLACE(COALESCE(COLUMN_DEFAULT, 'NULL'), '()', '')), COLUMN_KEY, COLLATION_NAME) AS line
         FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '_prisma_migrations' ORDER BY ORDINAL_POSITION`,
    )
    expect(columns.map(({ line }) => line)).toEqual([
      'id varchar(36) NO null PRI utf8mb4_unicode_ci',
      'checksum varchar(64) NO null  utf8mb4_unicode_ci',
      'finished_at datetime(3) YES null ',
      'migration_name varchar(255) NO null  utf8mb4_unicode_ci',
      'logs text YES null  utf8mb4_unicode_ci',
      'rolled_back_at datetime(3) YES null ',
      'started_at datetime(3) NO current_timestamp(3) ',
      'applied_steps_count int unsigned NO 0 ',
    ])
  })

  test('is written as Prisma writes it', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A })
    await run(database, migrations.folder)

    const [record] = await database.query<RecordRow>(
      `SELECT *, ABS(TIMESTAMPDIFF(SECOND, started_at, UTC_TIMESTAMP())) < 60 AS is_utc,
         started_at <= finished_at AS is_ordered
         FROM _prisma_migrations`,
    )
    expect(record).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      checksum: createHash('sha256').update(CREATE_A).digest('hex'),
      migration_name: '1_a',
      logs: null,
      rolled_back_at: null,
      applied_steps_count: 1,
    })
    expect([Number(record?.['is_utc']), Number(record?.['is_ordered'])]).toEqual([1, 1])
  })
})

describe('nothing is changed when', () => {
  test('a file was changed after it was applied', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A })
    await run(database, migrations.folder)
    const before = await recordsOf(database)
    await migrations.write('1_a', `${CREATE_A} -- and more`)
    await migrations.write('2_b', CREATE_B)

    await expect(run(database, migrations.folder)).rejects.toMatchObject({
      code: 'migration_changed',
      message: expect.stringMatching(/1_a.*Put the file back.*new migration/s),
    })
    expect(await recordsOf(database)).toEqual(before)
    expect(await tablesOf(database)).not.toContain('b')
  })

  test('only line endings differ, which is no change', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '2_b': CREATE_B })
    await run(database, migrations.folder)
    await migrations.write('2_b', CREATE_B.replaceAll('\n', '\r\n'))
    expect(await run(database, migrations.folder)).toMatchObject({ alreadyApplied: 1 })
  })

  test('a migration stopped half-way', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A })
    await run(database, migrations.folder)
    await database.query('UPDATE _prisma_migrations SET finished_at = NULL, applied_steps_count = 0')
    await migrations.write('2_b', CREATE_B)

    await expect(run(database, migrations.folder)).rejects.toMatchObject({
      code: 'migration_incomplete',
      message: expect.stringMatching(/1_a.*resolve --rolled-back 1_a.*resolve --applied 1_a/s),
    })
    expect(await tablesOf(database)).toEqual(['_prisma_migrations', 'a'])
    expect(await pendingMigrations(database.options, migrations.folder)).toEqual(['1_a', '2_b'])
  })

  test('the database holds tables of unknown origin', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A })
    await using server = await connectOnce({ ...database.options, database: '' })
    await server.query(`CREATE DATABASE ${database.options.database}`)
    await database.query('CREATE TABLE users (id INT)')

    expect(await codeOf(run(database, migrations.folder))).toBe('database_not_empty')
    expect(await tablesOf(database)).toEqual(['users'])
  })

  test('there are no migrations to be found', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({})
    expect(await codeOf(run(database, migrations.folder))).toBe('migrations_missing')
    expect(await codeOf(run(database, join(migrations.folder, 'nowhere')))).toBe('migrations_missing')
    await mkdir(join(migrations.folder, '1_a'))
    expect(await codeOf(run(database, migrations.folder))).toBe('migrations_missing')
    expect(await codeOf(database.query('SELECT 1'))).toBe('database_missing')
  })
})

describe('a statement that fails', () => {
  const BROKEN = 'CREATE TABLE b (id INT);\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE c (id INT);'

  test('is named and recorded, and stops everything until it is settled', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '1_a': CREATE_A, '2_broken': BROKEN, '3_d': 'CREATE TABLE d (id INT)' })

    await expect(run(database, migrations.folder)).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringMatching(/2_broken failed at its statement 2\..*1146/s),
    })
    expect(await tablesOf(database)).toEqual(['_prisma_migrations', 'a', 'b'])
    const [, failed] = await recordsOf(database)
    expect(failed).toMatchObject({ migration_name: '2_broken', finished_at: null, applied_steps_count: 0 })
    expect(failed?.logs).toMatch(/^A migration failed to apply\..*Migration name: 2_broken.*Database error code: 1146/s)

    await expect(run(database, migrations.folder)).rejects.toMatchObject({
      code: 'migration_incomplete',
      message: expect.stringContaining('query number 2'),
    })
  })

  test('is tried again, mended, when the migration was marked as rolled back', async () => {
    await using database = absentTestDatabase()
    await using migrations = await openFolder({ '2_broken': BROKEN })
    await codeOf(run(database, migrations.folder))
    await database.query('DROP TABLE b')
    await database.query('UPDATE _prisma_migrations SET rolled_back_at = UTC_TIMESTAMP(3)')
    await migrations.write('2_broken', CREATE_B)

    expect(await run(database, migrations.folder)).toMatchObject({ applied: ['2_broken'] })
    expect(await recordsOf(database)).toHaveLength(2)
    expect(await pendingMigrations(database.options, migrations.folder)).toEqual([])
  })
})

test('an account that may not create the database is told so', async () => {
  await using database = absentTestDatabase()
  await using migrations = await openFolder({ '1_a': CREATE_A })
  await using server = await connectOnce({ ...database.options, database: '' })
  const user = database.options.database
  await server.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'reader'`)
  try {
    await server.query(`GRANT SELECT ON ${database.options.database}.* TO '${user}'@'%'`)
    const reader = { ...database, options: { ...database.options, user, password: 'reader' } }
    await expect(run(reader, migrations.folder)).rejects.toMatchObject({
      code: 'database_not_created',
      message: expect.stringContaining('grant the account CREATE'),
    })
  } finally {
    await server.query(`DROP USER '${user}'@'%'`)
  }
})
