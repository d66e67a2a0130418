import type { ConnectionInfo, Pool, PoolConnection } from 'mariadb'
import { CONNECTION_AGE_MS } from './connection-limits.js'

/** Errors about the server's role rather than the statement: it was demoted, or its group left it behind. */
const ROLE_ERRORS: ReadonlySet<number> = new Set([
  1047, // Galera: the node has no quorum
  1290, // --read-only, --super-read-only
  1792, // every transaction is read-only here
  1836, // the same, of the whole server
  1874, // the same, of InnoDB
  3100, // group replication: this member takes no writes
])

/** Vitess has one number for every fault behind it, and names a change of the primary in the text. */
const VITESS_ERROR = 1105
const VITESS_ROLE = /not serving|CLUSTER_EVENT|reparent|primary is not|no healthy tablet/i

export function isRoleError(error: unknown): boolean {
  const { errno, message = '' } = Object(error) as { errno?: number; message?: string }
  if (errno === VITESS_ERROR) return VITESS_ROLE.test(message)
  return errno !== undefined && ROLE_ERRORS.has(errno)
}

/**
 * Makes a pool leave a server that was demoted. After a failover the old primary often stays up and keeps its
 * connections: each of them would fail once, although new ones reach the new primary. The first error about the role
 * makes all connections of that generation stale, and each is replaced before its next use.
 *
 * A demoted server refuses no reads, so connections are also replaced when they are old.
 */
export function withRenewal(pool: Pool, maxAgeMs = CONNECTION_AGE_MS): Pool {
  const acquire = pool.getConnection.bind(pool)
  // `info` lives as long as the connection; the object around it is new at each acquire.
  const made = new WeakMap<ConnectionInfo, { generation: number; atMs: number }>()
  let generation = 0
  pool.on('connection', ({ info }) => {
    if (info !== null) made.set(info, { generation, atMs: performance.now() })
  })
  const isStale = ({ info }: PoolConnection) => {
    const known = info && made.get(info)
    return !!known && (known.generation < generation || performance.now() - known.atMs > maxAgeMs)
  }
  const getConnection = async (): Promise<PoolConnection> => {
    let connection = await acquire()
    while (isStale(connection)) {
      connection.destroy()
      connection = await acquire()
    }
    const { info } = connection
    const query = connection.query.bind(connection)
    const watched: PoolConnection['query'] = async (sql, values) => {
      try {
        return await query(sql, values)
      } catch (error) {
        // A failure on a connection of an earlier generation says nothing about newer ones.
        const isCurrent = info === null || made.get(info)?.generation === generation
        if (isRoleError(error) && isCurrent) generation += 1
        throw error
      }
    }
    return Object.assign(connection, { query: watched })
  }
  return Object.assign(pool, { getConnection })
}
