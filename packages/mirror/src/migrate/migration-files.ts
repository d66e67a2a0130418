import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MigrationError } from './migration-error.js'

export type Migration = {
  /** The folder's name, `<timestamp>_<what>`. Migrations are applied in its order. */
  name: string
  sql: string
}

/** The migrations of a folder laid out as Prisma does it: `<name>/migration.sql`. Throws MigrationError. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new MigrationError('migrations_missing', `there is no folder with migrations at ${folder}`, error)
  })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  if (names.length === 0) throw new MigrationError('migrations_missing', `there are no migrations in ${folder}`)
  return Promise.all(names.sort().map(async (name) => ({ name, sql: await readSql(join(folder, name)) })))
}

/** SHA-256 in hex, as `_prisma_migrations.checksum` holds it. */
export const checksumOf = (sql: string): string => createHash('sha256').update(sql).digest('hex')

/** Whether a recorded checksum is this migration's. As in Prisma, line endings do not count: git may change them. */
export function isUnchanged({ sql }: Migration, checksum: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n')
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some((text) => checksumOf(text) === checksum)
}

async function readSql(folder: string): Promise<string> {
  const path = join(folder, 'migration.sql')
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new MigrationError('migrations_missing', `the migration ${path} cannot be read`, error)
  })
}
