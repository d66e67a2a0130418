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
} from '@clerk-mirror/queue/enqueue'
import {
  type Environment,
  flag,
  host,
  instanceId,
  keepAlive,
  type LogLevel,
  logLevel,
  openTelemetryFlag,
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
