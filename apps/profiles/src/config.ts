import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
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
import { type PublishableKey, parseJwtKey, parseOrigins, parsePublishableKey } from './clerk-keys.js'

export type ProfilesConfig = {
  database: Secret<DatabaseOptions>
  /** Undefined: no user can sign in, and everybody can read. */
  jwtKey: string | undefined
  authorizedParties: readonly string[] | undefined
  publishableKey: PublishableKey | undefined
  /** The proxies whose X-Forwarded-For counts. */
  trustProxy?: readonly string[] | undefined
  host: string
  port: number
  metricsPort: number
  /** That an idle connection is kept. */
  keepAliveMs: number
  shutdownDelayMs?: number
  logLevel: LogLevel
}

export const readProfilesConfig = (env: Environment): ProfilesConfig =>
  readConfig(
    env,
    (read) => ({
      database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
      jwtKey: read.optional('CLERK_JWT_KEY', parseJwtKey),
      authorizedParties: read.optional('CLERK_AUTHORIZED_PARTIES', parseOrigins),
      publishableKey: read.optional('CLERK_PUBLISHABLE_KEY', parsePublishableKey),
      trustProxy: read.optional('TRUST_PROXY', trustedProxies),
      host: read.optional('HOST', host),
      port: read.optional('PROFILES_PORT', port),
      metricsPort: read.optional('METRICS_PORT', port),
      keepAliveMs: read.optional('KEEP_ALIVE_TIMEOUT_S', keepAlive),
      shutdownDelayMs: read.optional('SHUTDOWN_DELAY_S', shutdownDelay),
      logLevel: read.optional('LOG_LEVEL', logLevel),
    }),
    'profiles',
  )
