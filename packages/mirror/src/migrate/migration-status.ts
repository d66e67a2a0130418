import { connectOnce } from '../database/connection.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { type ForeignConstraint, foreignConstraints } from '../database/foreign-constraints.js'
import { readMigrations } from './migration-files.js'
import { readRecords } from './migration-records.js'

export type MigrationStatus = {
  /** Names, in their order. */
  applied: string[]
  /** Not, or not fully, applied: before these are, the tables are not what the code expects. */
  pending: string[]
  /** What the application added to the tables that can stop events. */
  foreign: ForeignConstraint[]
}

/** Reads only. @throws DatabaseConnectError, and MigrationError when the folder cannot be read */
export async function migrationStatus(options: DatabaseOptions, folder: string): Promise<MigrationStatus> {
  const migrations = await readMigrations(folder)
  await using connection = await connectOnce(options)
  const records = (await readRecords(connection)) ?? []
  const finished = new Set(records.filter((record) => record.finished).map(({ name }) => name))
  const names = migrations.map(({ name }) => name)
  return {
    applied: names.filter((name) => finished.has(name)),
    pending: names.filter((name) => !finished.has(name)),
    foreign: await foreignConstraints(connection),
  }
}
