import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { type Connection, type ConnectionConfig, createConnection, createPool, type PoolConfig } from 'mariadb'
import { PrismaClient } from '../generated/client.js'
import { connectFailure, DatabaseConnectError, unfit } from './connect-failure.js'
import {
  ACQUIRE_MARGIN_MS,
  CONNECT_TIMEOUT_MS,
  LOCK_WAIT_TIMEOUT_S,
  MIGRATION_KEEP_ALIVE_MS,
  MIGRATION_LOCK_WAIT_TIMEOUT_S,
  POOL_CONNECTIONS,
  POOL_IDLE_TIMEOUT_S,
  POOL_MINIMUM_IDLE,
  SOCKET_TIMEOUT_MS,
} from './connection-limits.js'
import { type DatabaseOptions, type DatabaseTls, isLocalHost } from './database-url.js'
import type { PacketLimit } from './packet-limit.js'
import { withRenewal } from './server-role.js'
import { PROBE_TEXT, setUpSession, withSessions } from './session.js'
import { openVerifiedSocket } from './verified-socket.js'

/** `work`: short statements, a frozen server is noticed. `migration`: a statement may be silent for hours. */
export type ConnectionPurpose = 'work' | 'migration'

export type DatabaseConnection = Connection & AsyncDisposable

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
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    ...(purpose === 'work' ? { socketTimeout: SOCKET_TIMEOUT_MS } : { keepAliveDelay: MIGRATION_KEEP_ALIVE_MS }),
    // Parameters hold names and addresses of people, and errors are logged.
    logParam: false,
    ...(tls === false ? {} : { ssl: tlsConfig(options, tls) }),
    ...(tls !== false && tls.rejectUnauthorized
      ? { stream: () => openVerifiedSocket(options.host, options.port) }
      : {}),
    // Without TLS, MySQL's default login needs the server's key. A man in the middle could send his own, so the key is
    // taken only from this machine and its neighbours.
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

/**
 * Prisma on a pool of its own, which `$disconnect()` closes. Opens nothing before the first query. Each new connection
 * writes the server's packet size to `limit`. Throws DatabaseConnectError when the file that `sslcert` names cannot be
 * read.
 */
export function openPrisma(options: DatabaseOptions, limit?: PacketLimit): PrismaClient {
  const config = poolConfig(options)
  const adapterOptions = {
    database: options.database,
    disposeExternalPool: true,
    // Prepared statements would be made anew for every size of a batch.
    useTextProtocol: true,
  }
  return new PrismaClient({
    adapter: {
      provider: 'mysql',
      adapterName: 'mariadb',
      connect: () => new PrismaMariaDb(withSessions(withRenewal(createPool(config)), limit), adapterOptions).connect(),
    },
    // The longer formats print the arguments of the failed call, which are personal data.
    errorFormat: 'minimal',
  })
}

/**
 * One plain connection of the driver. Its error names the cause of a failed connect, where a pool reports only its
 * time-out. An empty `database` connects to none. Throws DatabaseConnectError.
 */
export async function connectOnce(
  options: DatabaseOptions,
  purpose: ConnectionPurpose = 'work',
): Promise<DatabaseConnection> {
  try {
    const connection = await createConnection(connectionConfig(options, purpose))
    // Without a listener the driver throws out of a socket callback when an idle connection breaks. The next query
    // fails.
    connection.on('error', () => undefined)
    const lockWaitS = purpose === 'work' ? LOCK_WAIT_TIMEOUT_S : MIGRATION_LOCK_WAIT_TIMEOUT_S
    const { text } = await setUpSession(connection, lockWaitS)
    if (text !== PROBE_TEXT) throw unfit(options, 'database_text_altered')
    // Tables of another engine would have no transactions.
    if (purpose === 'migration') await connection.query('SET SESSION default_storage_engine = InnoDB')
    return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.end() })
  } catch (error) {
    throw connectFailure(options, error)
  }
}

/**
 * Runs `work` on a connection of its own, which is destroyed afterwards. @throws DatabaseConnectError, and the errors
 * of `work`
 */
export async function onFreshConnection<T>(
  options: DatabaseOptions,
  work: (connection: DatabaseConnection) => Promise<T>,
): Promise<T> {
  const connection = await connectOnce(options)
  try {
    return await work(connection)
  } finally {
    // Without COM_QUIT, which a server that stopped answering would not answer either.
    connection.destroy()
  }
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
