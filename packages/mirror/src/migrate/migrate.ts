import { SqlError } from 'mariadb'
import { refuseStatementLog } from '../database/binary-log.js'
import { DatabaseConnectError } from '../database/connect-failure.js'
import { connectOnce, type DatabaseConnection } from '../database/connection.js'
import { MIGRATION_TURN_WAIT_S } from '../database/connection-limits.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { MigrationError } from './migration-error.js'
import { isUnchanged, type Migration, readMigrations } from './migration-files.js'
import { type MigrationRecord, openRecords, recordFailure, recordFinish, recordStart } from './migration-records.js'
import { splitStatements } from './sql-statements.js'

export type MigrationEvent =
  | { event: 'database.created'; database: string }
  | { event: 'migration.waiting' }
  | { event: 'migration.unlocked'; version: string }
  | { event: 'migration.unknown'; migration: string }
  | { event: 'migration.applied'; migration: string; durationMs: number }

export type MigrateOptions = {
  /** The folder `prisma/migrations`. */
  folder: string
  log: (entry: MigrationEvent) => void
}

export type MigrateResult = {
  /** Names, in the order in which they were applied. */
  applied: string[]
  alreadyApplied: number
}

/** The name by which Prisma's engine locks, so that its CLI and this applier wait for each other. */
const LOCK = 'prisma_migrate'

/**
 * Applies the migrations that the database does not have, as `prisma migrate deploy` does. Creates the database when it
 * is absent. Of several processes that start at once, one applies and the others wait and find nothing to do.
 *
 * Throws DatabaseConnectError, or MigrationError: except for `migration_failed`, nothing was changed then.
 */
export async function migrate(options: DatabaseOptions, { folder, log }: MigrateOptions): Promise<MigrateResult> {
  const migrations = await readMigrations(folder)
  await using connection = await connectCreating(options, log)
  await refuseStatementLog(connection, options)
  await lock(connection, log)
  const records = await openRecords(connection)
  refuseIncomplete(records)
  refuseChanged(migrations, records)
  reportUnknown(migrations, records, log)

  const pending = pendingOf(migrations, records)
  for (const migration of pending) {
    const startedMs = performance.now()
    await apply(connection, migration)
    const durationMs = Math.round(performance.now() - startedMs)
    log({ event: 'migration.applied', migration: migration.name, durationMs })
  }
  return { applied: pending.map(({ name }) => name), alreadyApplied: migrations.length - pending.length }
}

function pendingOf(migrations: Migration[], records: MigrationRecord[]): Migration[] {
  const known = new Set(records.map(({ name }) => name))
  return migrations.filter(({ name }) => !known.has(name))
}

async function connectCreating(options: DatabaseOptions, log: MigrateOptions['log']): Promise<DatabaseConnection> {
  try {
    return await connectOnce(options, 'migration')
  } catch (error) {
    if (!(error instanceof DatabaseConnectError && error.code === 'database_missing')) throw error
    await createDatabase(options)
    log({ event: 'database.created', database: options.database })
    return connectOnce(options, 'migration')
  }
}

async function createDatabase(options: DatabaseOptions): Promise<void> {
  await using server = await connectOnce({ ...options, database: '' }, 'migration')
  await refuseStatementLog(server, options)
  const name = `\`${options.database.replaceAll('`', '``')}\``
  try {
    await server.query(`CREATE DATABASE IF NOT EXISTS ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`)
  } catch (error) {
    const todo = 'create it, or grant the account CREATE on it'
    const message = `the database ${options.database} does not exist and could not be created: ${todo}`
    throw new MigrationError('database_not_created', message, error)
  }
}

/**
 * Holds the lock until the connection ends. Vitess keeps such a lock on one shard and breaks it after 20 s, so there,
 * as with Prisma, none is taken: run the migrations from one place.
 */
async function lock(connection: DatabaseConnection, log: MigrateOptions['log']): Promise<void> {
  const [server] = await connection.query<{ version: string }[]>('SELECT VERSION() AS version')
  const version = server?.version ?? ''
  if (/vitess|planetscale/i.test(version)) return log({ event: 'migration.unlocked', version })
  if (await getLock(connection, 0)) return
  log({ event: 'migration.waiting' })
  if (await getLock(connection, MIGRATION_TURN_WAIT_S)) return
  const todo = `find the process with the lock ${LOCK} and start again when it is done`
  throw new MigrationError(
    'migration_locked',
    `another process has been migrating for ${MIGRATION_TURN_WAIT_S} s: ${todo}`,
  )
}

async function getLock(connection: DatabaseConnection, waitS: number): Promise<boolean> {
  const [row] = await connection.query<{ locked: number | bigint | null }[]>('SELECT GET_LOCK(?, ?) AS locked', [
    LOCK,
    waitS,
  ])
  return Number(row?.locked) === 1
}

function refuseIncomplete(records: MigrationRecord[]): void {
  const incomplete = records.find((record) => !record.finished)
  if (incomplete === undefined) return
  const { id, name, startedAt, logs } = incomplete
  const mark = (column: string) => `UPDATE _prisma_migrations SET ${column} = UTC_TIMESTAMP(3) WHERE id = '${id}'`
  throw new MigrationError(
    'migration_incomplete',
    `the migration ${name}, begun ${startedAt} UTC, did not finish, and nothing is applied until that is settled. ` +
      'MySQL rolls back no schema change, so look at the changes that it left. Either undo them, and apply it again with ' +
      `\`prisma migrate resolve --rolled-back ${name}\` or ${mark('rolled_back_at')}; or finish it, and say so ` +
      `with \`prisma migrate resolve --applied ${name}\` or ${mark('finished_at')}. ${logs?.trim() ?? ''}`.trimEnd(),
  )
}

function refuseChanged(migrations: Migration[], records: MigrationRecord[]): void {
  for (const migration of migrations) {
    const record = records.find(({ name }) => name === migration.name)
    if (record === undefined || isUnchanged(migration, record.checksum)) continue
    const todo = 'Put the file back as it was, and make the change in a new migration'
    throw new MigrationError(
      'migration_changed',
      `the migration ${record.name} was changed after it was applied. ${todo}`,
    )
  }
}

// Not refused: an older release finds this after a newer one has migrated. It must start, or a release that misbehaves
// could not be rolled back.
function reportUnknown(migrations: Migration[], records: MigrationRecord[], log: MigrateOptions['log']): void {
  const known = new Set(migrations.map(({ name }) => name))
  for (const { name } of records) {
    if (!known.has(name)) log({ event: 'migration.unknown', migration: name })
  }
}

async function apply(connection: DatabaseConnection, migration: Migration): Promise<void> {
  const id = await recordStart(connection, migration)
  for (const [index, statement] of splitStatements(migration.sql).entries()) {
    try {
      await connection.query(statement)
    } catch (error) {
      const number = index + 1
      // When the connection is gone the record stays without logs, and incomplete all the same.
      await recordFailure(connection, id, logsOf(migration.name, number, error)).catch(() => undefined)
      const todo = 'Fix the cause, look at the changes of the statements before it, and start again for further advice'
      const message = `the migration ${migration.name} failed at its statement ${number}. ${todo}. ${String(error)}`
      throw new MigrationError('migration_failed', message, error)
    }
  }
  await recordFinish(connection, id)
}

/** The wording of Prisma's P3018, because `prisma migrate status` shows it. */
function logsOf(name: string, number: number, error: unknown): string {
  const [code, text] = error instanceof SqlError ? [error.errno, error.sqlMessage] : ['none', String(error)]
  return (
    'A migration failed to apply. New migrations cannot be applied before the error is recovered from. ' +
    'Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n' +
    `Migration name: ${name}\n\nDatabase error code: ${code}\n\nDatabase error:\n${text}\n\n` +
    `Please check the query number ${number} from the migration file.\n`
  )
}
