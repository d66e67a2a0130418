import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { type DatabaseOptions, parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { migrate } from '../../../packages/mirror/src/migrate/migrate.js'

export const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

export type TestDatabase = AsyncDisposable & {
  /** As `DATABASE_URL` would hold it. */
  url: string
  options: DatabaseOptions
  query: <Row>(sql: string, params?: unknown[]) => Promise<Row[]>
}

/** A database of its own on the server of this run, so that files run side by side. Disposing drops it. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const database = testDatabase(inject('databaseUrl'))
  try {
    await migrate(database.options, { folder: MIGRATIONS, log: () => undefined })
    return database
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
}

/** The same before anything has created it. The pool retries a connect until its time is over: here the product's own. */
export function absentTestDatabase(): TestDatabase {
  const url = new URL(inject('databaseUrl'))
  url.searchParams.delete('connect_timeout')
  return testDatabase(url.href)
}

function testDatabase(serverUrl: string): TestDatabase {
  const url = new URL(serverUrl)
  url.pathname = `/clerk_mirror_${randomBytes(6).toString('hex')}`
  const options = parseDatabaseUrl(url.href)
  return {
    url: url.href,
    options,
    query: async (sql, params) => {
      await using connection = await connectOnce(options)
      return await connection.query(sql, params)
    },
    [Symbol.asyncDispose]: async () => {
      await using server = await connectOnce({ ...options, database: '' })
      await server.query(`DROP DATABASE IF EXISTS \`${options.database}\``)
    },
  }
}
