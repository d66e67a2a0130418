import type { Connection, ConnectionInfo, Pool, PoolConnection } from 'mariadb'
import { LOCK_WAIT_TIMEOUT_S, SESSION_WAIT_TIMEOUT_S } from './connection-limits.js'
import type { PacketLimit } from './packet-limit.js'

/** A server may give new sessions any settings (init_connect, skip-character-set-client-handshake). */
const sessionSql = (lockWaitS: number) => [
  // Otherwise a server that overrides the driver's character set stores altered text.
  `SET NAMES utf8mb4 COLLATE ${COLLATION}`,
  // A statement of its own, because MariaDB 10 and MySQL 8 call the isolation level by different variables.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET ${SETTINGS.map(([name, value]) => `SESSION ${name} = ${value}`).join(', ')}, ` +
    `SESSION innodb_lock_wait_timeout = ${lockWaitS}`,
]

const COLLATION = 'utf8mb4_unicode_ci'

const SETTINGS = [
  ['wait_timeout', SESSION_WAIT_TIMEOUT_S],
  // Strict: a value that does not fit is an error. Without NO_BACKSLASH_ESCAPES, because the driver escapes with
  // backslashes, and without ANSI_QUOTES.
  ['sql_mode', "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"],
  // NOW() agrees with the UTC that is stored.
  ['time_zone', "'+00:00'"],
  // A single statement commits, and COMMIT ends a transaction and nothing else.
  ['autocommit', 1],
  ['completion_type', 0],
  // Results are whole, and no statement is refused for its size.
  // A number would be a LIMIT of each SELECT on Vitess.
  ['sql_select_limit', 'DEFAULT'],
  ['sql_big_selects', 1],
  ['sql_safe_updates', 0],
  // Constraints that the application added to these tables apply, whatever the server's default is.
  ['foreign_key_checks', 1],
  ['unique_checks', 1],
] as const

/**
 * Four bytes, a combining mark, and every character that is escaped or has a meaning in a pattern. In lower case and
 * without spaces at its ends, so that a trigger which normalises names leaves it unchanged.
 */
export const PROBE_TEXT = 'a\u0301 \u{1f600} \u4f60 \u00df \'one\' "two" `three` \\n \\\\ \\% \\_ %s ? :x \t.'

/** The server's answers during session setup. `text` is PROBE_TEXT, on a server that leaves it unchanged. */
export type SessionAnswer = { packetBytes: number; text: string }

/**
 * Sets the variables that every session of ours relies on, in one round trip, and reads a text back: the driver
 * pipelines the statements. A connection on which this fails is destroyed.
 */
export async function setUpSession(connection: Connection, lockWaitS: number): Promise<SessionAnswer> {
  try {
    const set = sessionSql(lockWaitS).map((sql) => connection.query(sql))
    type Row = { bytes: bigint | number; text: string }
    const answer = connection.query<Row[]>('SELECT @@max_allowed_packet AS bytes, ? AS text', [PROBE_TEXT])
    const [[row]] = await Promise.all([answer, ...set])
    return { packetBytes: Number(row?.bytes ?? Number.POSITIVE_INFINITY), text: row?.text ?? '' }
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
    // `info` lives as long as the connection; the object around it is new at each acquire.
    const { info } = connection
    if (info !== null && setUp.has(info)) return connection
    const { packetBytes } = await setUpSession(connection, LOCK_WAIT_TIMEOUT_S)
    if (limit) limit.bytes = packetBytes
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
