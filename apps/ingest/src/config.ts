import { parseSigningSecrets, type SigningKey } from '@clerk-mirror/events'
import {
  type EnvelopeKeys,
  PARTITIONS_MAX,
  type Partition,
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  REPLICAS_MAX,
  type RedisTarget,
  type Spread,
} from '@clerk-mirror/queue'
import {
  type Environment,
  flag,
  host,
  keepAlive,
  type LogLevel,
  logLevel,
  openTelemetryFlag,
  type Parser,
  port,
  readConfig,
  type Secret,
  secret,
  shutdownDelay,
  tracesExporter,
  tracesUrlOf,
  trustedProxies,
  webAddress,
  wholeNumber,
} from '@clerk-mirror/runtime'

/** As Clerk makes them. One that is copied wrongly, such as a key or the id of an application, would drop every event. */
export const INSTANCE_ID = /^ins_[A-Za-z0-9]{1,60}$/

const instanceId: Parser<string> = (raw) => {
  if (!INSTANCE_ID.test(raw)) throw new Error('must be the id of a Clerk instance: ins_ and letters and digits')
  return raw
}

export type IngestConfig = {
  redis: Secret<RedisTarget>
  /** Where events go. */
  partitions: Spread | readonly Partition[]
  /** That must have an event before it counts as durable. */
  waitReplicas?: number
  signingKeys: Secret<SigningKey[]>
  /** Bodies wait in clear without them. */
  envelopeKeys?: Secret<EnvelopeKeys> | undefined
  /** Events of other instances are acknowledged and dropped; undefined takes all. */
  instanceId: string | undefined
  allowEviction: boolean
  /** No traces are made without it. */
  tracesUrl?: string | undefined
  /** Proxies that are trusted about addresses. */
  trustProxy?: readonly string[] | undefined
  host: string
  port: number
  metricsPort: number
  /** That an idle connection is kept. */
  keepAliveMs: number
  shutdownDelayMs?: number
  logLevel: LogLevel
}

export const readIngestConfig = (env: Environment): IngestConfig =>
  readConfig(env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    partitions: {
      namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
      count: read.optional('QUEUE_PARTITIONS', wholeNumber(1, PARTITIONS_MAX)),
    },
    waitReplicas: read.optional('REDIS_WAIT_REPLICAS', wholeNumber(0, REPLICAS_MAX)),
    signingKeys: read.required('CLERK_WEBHOOK_SIGNING_SECRET', secret(parseSigningSecrets)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    instanceId: read.optional('CLERK_INSTANCE_ID', instanceId),
    allowEviction: read.optional('REDIS_ALLOW_EVICTION', flag),
    tracesUrl: tracesUrlOf({
      endpoint: read.optional('OTEL_EXPORTER_OTLP_ENDPOINT', webAddress),
      tracesEndpoint: read.optional('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', webAddress),
      exporter: read.optional('OTEL_TRACES_EXPORTER', tracesExporter),
      isDisabled: read.optional('OTEL_SDK_DISABLED', openTelemetryFlag),
    }),
    trustProxy: read.optional('TRUST_PROXY', trustedProxies),
    host: read.optional('HOST', host),
    port: read.first(['INGEST_PORT', 'PORT'], port),
    metricsPort: read.optional('METRICS_PORT', port),
    keepAliveMs: read.optional('KEEP_ALIVE_TIMEOUT_S', keepAlive),
    shutdownDelayMs: read.optional('SHUTDOWN_DELAY_S', shutdownDelay),
    logLevel: read.optional('LOG_LEVEL', logLevel),
  }))
