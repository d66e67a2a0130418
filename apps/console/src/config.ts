import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import {
  type EnvelopeKeys,
  type Partition,
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  type RedisTarget,
} from '@clerk-mirror/queue/operate'
import {
  type Environment,
  host,
  keepAlive,
  type LogLevel,
  logLevel,
  port,
  readConfig,
  type Secret,
  secret,
  shutdownDelay,
  trustedProxies,
} from '@clerk-mirror/runtime'
import { type Account, parseAccounts } from './auth/accounts.js'

export type ConsoleConfig = {
  redis: Secret<RedisTarget>
  /** Those that it shows: these, or all that are on the register of the namespace. */
  partitions: readonly Partition[] | { namespace: string }
  database: Secret<DatabaseOptions>
  /** Without them, encrypted payloads cannot be looked at; all else works. */
  envelopeKeys?: Secret<EnvelopeKeys> | undefined
  accounts: Secret<Account[]>
  /** Proxies that are trusted about addresses and TLS. */
  trustProxy?: readonly string[] | undefined
  host: string
  port: number
  /** That an idle connection is kept. */
  keepAliveMs: number
  shutdownDelayMs?: number
  logLevel: LogLevel
}

export const readConsoleConfig = (env: Environment): ConsoleConfig =>
  readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    partitions: { namespace: read.optional('QUEUE_NAMESPACE', parseNamespace) },
    database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    accounts: read.required('CONSOLE_TOKEN', secret(parseAccounts)),
    trustProxy: read.optional('TRUST_PROXY', trustedProxies),
    host: read.optional('HOST', host),
    port: read.optional('CONSOLE_PORT', port),
    keepAliveMs: read.optional('KEEP_ALIVE_TIMEOUT_S', keepAlive),
    shutdownDelayMs: read.optional('SHUTDOWN_DELAY_S', shutdownDelay),
    logLevel: read.optional('LOG_LEVEL', logLevel),
  }))
