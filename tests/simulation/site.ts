import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { type Mirror, migrate, openMirror, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { Releasers } from '@clerk-mirror/runtime'
import { connectOnce, type DatabaseConnection } from '../../packages/mirror/src/database/connection.js'
import type { DatabaseOptions } from '../../packages/mirror/src/database/database-url.js'
import { type Oracle, openOracle, type Query } from '../support/invariants.js'
import { APPLIERS } from './history.js'

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

/** One migrated database for many histories, and its appliers. */
export type Site = AsyncDisposable & {
  options: DatabaseOptions
  serverVersion: string
  appliers: readonly Mirror[]
  /** On connections that no killer touches. */
  query: Query
  oracle: Oracle
  /** Server-side ids of connections that are not the appliers'. */
  ownThreads: Set<number>
  connect: () => Promise<DatabaseConnection>
  clear: () => Promise<void>
}

/** `serverUrl` is that of an account that may create databases. Disposing drops the one that was made. */
export async function openSite(serverUrl: string): Promise<Site> {
  await using owned = new Releasers()
  const url = new URL(serverUrl)
  url.pathname = `/clerk_simulation_${randomBytes(6).toString('hex')}`
  const options = parseDatabaseUrl(url.href)
  await migrate(options, { folder: MIGRATIONS, log: () => undefined })
  const ownThreads = new Set<number>()
  const connect = async () => {
    const connection = await connectOnce(options)
    if (connection.threadId !== null) ownThreads.add(connection.threadId)
    return connection
  }
  owned.defer(async () => {
    await using connection = await connect()
    await connection.query(`DROP DATABASE \`${options.database}\``)
  })
  // Each with a pool of its own, like workers in processes of their own.
  const appliers = Array.from({ length: APPLIERS }, () => owned.use(openMirror({ ...options, connectionLimit: 2 })))
  let connection = await connect()
  owned.defer(() => connection.end())
  const query: Query = async (sql, params) => {
    // The server drops a connection that was silent for a while, as when a history takes long.
    if (!connection.isValid()) connection = await connect()
    return await connection.query(sql, params)
  }
  const [version] = await query<{ version: string }>('SELECT VERSION() AS version')
  const oracle = await openOracle(query)
  const scope = owned.move()
  return {
    options,
    serverVersion: version?.version ?? 'unknown',
    appliers,
    query,
    oracle,
    ownThreads,
    connect,
    clear: async () => {
      for (const table of oracle.tableNames) await query(`DELETE FROM ${table}`)
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}
