import { connectOnce } from '../database/connection.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { readMigrations } from '../migrate/migration-files.js'
import { readRecords } from '../migrate/migration-records.js'
import { type ForeignConstraint, foreignConstraints } from './foreign-constraints.js'

export type MigrationStatus = {
  /** Names, in their order. */
  applied: string[]
  /** Not, or not fully, applied: until they are, the code does not fit the tables. */
  pending: string[]
  /** Constraints that the application added to the tables and that can stop events. */
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
