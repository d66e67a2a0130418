import { type MirroredKinds, parseMirroredKinds } from '@clerk-mirror/events'
import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import {
  type EnvelopeKeys,
  type Partition,
  parseEnvelopeKeys,
  parseRedisUrl,
  partitions,
  type RedisTarget,
} from '@clerk-mirror/queue'
import {
  type Environment,
  type LogLevel,
  logLevel,
  port,
  readConfig,
  type Secret,
  secret,
  text,
  webAddress,
} from '@clerk-mirror/runtime'

export type WorkerConfig = {
  redis: Secret<RedisTarget>
  partitions: readonly Partition[]
  database: Secret<DatabaseOptions>
  /** Open what ingest has encrypted. */
  envelopeKeys?: Secret<EnvelopeKeys> | undefined
  mirroredKinds: MirroredKinds
  /** Nobody is told of dead letters without it. */
  notifyUrl?: Secret<string> | undefined
  /** No traces are made without it. */
  tracesUrl?: string | undefined
  host: string
  port: number
  logLevel: LogLevel
}

export const readWorkerConfig = (env: Environment): WorkerConfig =>
  readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    partitions: partitions(1),
    database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    mirroredKinds: read.optional('MIRROR_KINDS', parseMirroredKinds),
    notifyUrl: read.optional('NOTIFY_WEBHOOK_URL', secret(webAddress)),
    tracesUrl: read.optional('OTEL_EXPORTER_OTLP_ENDPOINT', webAddress),
    host: read.optional('HOST', text),
    port: read.optional('WORKER_PORT', port),
    logLevel: read.optional('LOG_LEVEL', logLevel),
  }))
