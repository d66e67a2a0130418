import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { type Connection, type ConnectionConfig, createConnection, type PoolConfig } from 'mariadb'
import { connectFailure, DatabaseConnectError } from './connect-failure.js'
import {
  ACQUIRE_MARGIN_MS,
  CONNECT_TIMEOUT_MS,
  LOCK_WAIT_TIMEOUT_S,
  MIGRATION_KEEP_ALIVE_MS,
  POOL_CONNECTIONS,
  POOL_IDLE_TIMEOUT_S,
  POOL_MINIMUM_IDLE,
  SESSION_WAIT_TIMEOUT_S,
  SOCKET_TIMEOUT_MS,
} from './connection-policy.js'
import { type DatabaseOptions, type DatabaseTls, isLocalHost } from './database-url.js'
import { PrismaClient } from './generated/client.js'
import { openVerifiedSocket } from './verified-socket.js'

/** `work`: short statements, a frozen server is noticed. `migration`: a statement may be silent for hours. */
export type ConnectionPurpose = 'work' | 'migration'

export type DatabaseConnection = Connection & AsyncDisposable

// Two statements because MariaDB 10 and MySQL 8 call the isolation level by different variables; the driver sends both
// at once. The time zone makes NOW() agree with the UTC that is stored, the mode makes a value that does not fit an error.
const SESSION_SQL = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_TIMEOUT_S}, SESSION wait_timeout = ${SESSION_WAIT_TIMEOUT_S}, ` +
    `SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00'`,
]

/** The driver's options for a single connection. Reads the file that `sslcert` names; throws DatabaseConnectError. */
export function connectionConfig(options: DatabaseOptions, purpose: ConnectionPurpose): ConnectionConfig {
  const { tls } = options
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password,
    database: options.database,
    charset: 'utf8mb4',
    initSql: SESSION_SQL,
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    ...(purpose === 'work' ? { socketTimeout: SOCKET_TIMEOUT_MS } : { keepAliveDelay: MIGRATION_KEEP_ALIVE_MS }),
    // Parameters are people's names and addresses; errors are logged.
    logParam: false,
    ...(tls === false ? {} : { ssl: tlsConfig(options, tls) }),
    ...(tls !== false && tls.rejectUnauthorized
      ? { stream: () => openVerifiedSocket(options.host, options.port) }
      : {}),
    // MySQL's default login needs the server's key when there is no TLS. Whoever stands between could send his own,
    // so the key is taken only from this machine and its neighbours.
    allowPublicKeyRetrieval: tls === false && isLocalHost(options.host),
  }
}

/** The driver's options for the pool under Prisma. Throws as `connectionConfig` does. */
export function poolConfig(options: DatabaseOptions): PoolConfig {
  return {
    ...connectionConfig(options, 'work'),
    connectionLimit: options.connectionLimit ?? POOL_CONNECTIONS,
    minimumIdle: POOL_MINIMUM_IDLE,
    idleTimeout: POOL_IDLE_TIMEOUT_S,
    acquireTimeout: (options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS) + ACQUIRE_MARGIN_MS,
  }
}

/** Prisma on a pool of its own, which `$disconnect()` closes. Connects with the first query. */
export function openPrisma(options: DatabaseOptions): PrismaClient {
  // Prepared statements would be made anew for every batch size, and Vitess does not like many of them.
  const adapter = new PrismaMariaDb(poolConfig(options), { useTextProtocol: true, database: options.database })
  // The longer formats print the arguments of the failed call, which are personal data.
  return new PrismaClient({ adapter, errorFormat: 'minimal' })
}

/**
 * One plain connection of the driver, which tells why it could not be made where a pool only tells that it waited.
 * An empty `database` connects to none. Throws DatabaseConnectError.
 */
export async function connectOnce(
  options: DatabaseOptions,
  purpose: ConnectionPurpose = 'work',
): Promise<DatabaseConnection> {
  const config = connectionConfig(options, purpose)
  const connection = await createConnection(config).catch((error: unknown) => {
    throw connectFailure(options, error)
  })
  // Without a listener the driver throws out of a socket callback when an idle connection breaks. The next query tells.
  connection.on('error', () => undefined)
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.end() })
}

function tlsConfig({ host }: DatabaseOptions, tls: DatabaseTls) {
  return {
    rejectUnauthorized: tls.rejectUnauthorized,
    ...(tls.caPath === undefined ? {} : { ca: readCa(tls.caPath) }),
    // The driver hands Node a socket and no name, and Node would check the certificate of an address for `localhost`.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_name: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
  }
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new DatabaseConnectError('database_ca_unreadable', `sslcert: the file ${path} cannot be read`, error)
  }
}
