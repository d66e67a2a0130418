import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import {
  type Environment,
  host,
  type LogLevel,
  logLevel,
  port,
  readConfig,
  type Secret,
  secret,
} from '@clerk-mirror/runtime'
import { type PublishableKey, parseJwtKey, parseOrigins, parsePublishableKey } from './clerk-keys.js'

export type ProfilesConfig = {
  database: Secret<DatabaseOptions>
  /** Undefined: nobody can sign in, and everybody can read. */
  jwtKey: string | undefined
  authorizedParties: readonly string[] | undefined
  publishableKey: PublishableKey | undefined
  host: string
  port: number
  metricsPort: number
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
      host: read.optional('HOST', host),
      port: read.optional('PROFILES_PORT', port),
      metricsPort: read.optional('METRICS_PORT', port),
      logLevel: read.optional('LOG_LEVEL', logLevel),
    }),
    'profiles',
  )
