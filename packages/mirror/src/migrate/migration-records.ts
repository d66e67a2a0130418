import { randomUUID } from 'node:crypto'
import type { DatabaseConnection } from '../database/connection.js'
import { MigrationError } from './migration-error.js'
import { checksumOf, type Migration } from './migration-files.js'

/** A row of `_prisma_migrations` that counts: one that was marked as rolled back does not. */
export type MigrationRecord = {
  id: string
  name: string
  checksum: string
  startedAt: string
  finished: boolean
  logs: string | null
}

// The statement of Prisma's engine on MySQL, so that its CLI can take over a database of ours, and we one of its own.
const CREATE_TABLE = `CREATE TABLE _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             DATETIME(3),
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          DATETIME(3),
    started_at              DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    applied_steps_count     INTEGER UNSIGNED NOT NULL DEFAULT 0
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;`

const SELECT_TABLES = `SELECT TABLE_NAME AS name FROM information_schema.TABLES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'`

const SELECT_RECORDS = `SELECT id, migration_name AS name, checksum, logs,
    CAST(started_at AS CHAR) AS startedAt, finished_at IS NOT NULL AS finished
  FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`

/** The records in the order in which they began; null when the table does not exist. */
export async function readRecords(connection: DatabaseConnection): Promise<MigrationRecord[] | null> {
  const tables = await connection.query<{ name: string }[]>(SELECT_TABLES)
  if (!tables.some(({ name }) => name === '_prisma_migrations')) return null
  const rows = await connection.query<(Omit<MigrationRecord, 'finished'> & { finished: number })[]>(SELECT_RECORDS)
  return rows.map((row) => ({ ...row, finished: Boolean(row.finished) }))
}

/** As `readRecords`, but creates the table. Like Prisma it refuses tables that no migration has made. */
export async function openRecords(connection: DatabaseConnection): Promise<MigrationRecord[]> {
  const records = await readRecords(connection)
  if (records !== null) return records
  const tables = await connection.query<{ name: string }[]>(SELECT_TABLES)
  if (tables.length > 0) {
    throw new MigrationError(
      'database_not_empty',
      `the database holds ${tables.length} tables and no record of migrations. Give the mirror one of its own; ` +
        'if the tables are the mirror’s, say so with `prisma migrate resolve --applied NAME`',
    )
  }
  await connection.query(CREATE_TABLE)
  return []
}

/** Returns the record's id. */
export async function recordStart(connection: DatabaseConnection, { name, sql }: Migration): Promise<string> {
  const id = randomUUID()
  await connection.query(
    'INSERT INTO _prisma_migrations (id, checksum, started_at, migration_name) VALUES (?, ?, UTC_TIMESTAMP(3), ?)',
    [id, checksumOf(sql), name],
  )
  return id
}

export async function recordFinish(connection: DatabaseConnection, id: string): Promise<void> {
  await connection.query(
    `UPDATE _prisma_migrations SET applied_steps_count = applied_steps_count + 1, finished_at = UTC_TIMESTAMP(3)
      WHERE id = ?`,
    [id],
  )
}

export async function recordFailure(connection: DatabaseConnection, id: string, logs: string): Promise<void> {
  await connection.query('UPDATE _prisma_migrations SET logs = ? WHERE id = ?', [logs, id])
}
