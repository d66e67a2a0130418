import type { Connection, ConnectionInfo, Pool, PoolConnection } from 'mariadb'
import { LOCK_WAIT_TIMEOUT_S, SESSION_WAIT_TIMEOUT_S } from './connection-policy.js'
import type { PacketLimit } from './parts.js'

// Two statements because MariaDB 10 and MySQL 8 call the isolation level by different variables. The time zone makes
// NOW() agree with the UTC that is stored, the mode makes an error of a value that does not fit.
const sessionSql = (lockWaitS: number) => [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION innodb_lock_wait_timeout = ${lockWaitS}, SESSION wait_timeout = ${SESSION_WAIT_TIMEOUT_S}, ` +
    `SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00'`,
]

/**
 * Sets what every session of ours relies on, in one round trip: the driver sends each statement behind the one before.
 * Returns the bytes of a packet that this server takes. A connection on which this fails is broken off.
 */
export async function setUpSession(connection: Connection, lockWaitS: number): Promise<number> {
  try {
    const set = sessionSql(lockWaitS).map((sql) => connection.query(sql))
    const asked = connection.query<{ bytes: bigint | number }[]>('SELECT @@max_allowed_packet AS bytes')
    const [[row]] = await Promise.all([asked, ...set])
    return Number(row?.bytes ?? Number.POSITIVE_INFINITY)
  } catch (error) {
    connection.destroy()
    throw error
  }
}

/**
 * Makes a pool set up each session before it is first used. The driver's own option `initSql` would do it, but when the
 * server goes away in that moment, the driver (mariadb 3.4) leaves a rejection unhandled, which ends the process.
 */
export function withSessions(pool: Pool, limit?: PacketLimit): Pool {
  const setUp = new WeakSet<ConnectionInfo>()
  const acquire = pool.getConnection.bind(pool)
  const getConnection = async (): Promise<PoolConnection> => {
    const connection = await acquire()
    // One `info` for the life of a connection, where the object around it is new each time.
    const { info } = connection
    if (info !== null && setUp.has(info)) return connection
    const bytes = await setUpSession(connection, LOCK_WAIT_TIMEOUT_S)
    if (limit) limit.bytes = bytes
    if (info !== null) setUp.add(info)
    return connection
  }
  const query: Pool['query'] = async (sql, values) => {
    const connection = await getConnection()
    try {
      return await connection.query(sql, values)
    } finally {
      await connection.release()
    }
  }
  return Object.assign(pool, { getConnection, query })
}
