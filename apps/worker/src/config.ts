import { type KindsSetting, parseMirroredKinds } from '@clerk-mirror/events'
import { type DatabaseOptions, parseDatabaseUrl } from '@clerk-mirror/mirror'
import {
  type EnvelopeKeys,
  type Partition,
  parseEnvelopeKeys,
  parseNamespace,
  parseRedisUrl,
  type RedisTarget,
} from '@clerk-mirror/queue/consume'
import {
  type Environment,
  flag,
  host,
  type LogLevel,
  logLevel,
  openTelemetryFlag,
  type ProxySettings,
  parseNoProxy,
  parseProxy,
  port,
  type Read,
  readConfig,
  type Secret,
  secret,
  tracesExporter,
  tracesUrlOf,
  webAddress,
  withProxyNames,
} from '@clerk-mirror/runtime'
import { chooseReactions } from './reaction-runtime/choose-reactions.js'
import {
  type ChangeWebhookConfig,
  parseWebhookSecrets,
  parseWebhookUrls,
  payloadFor,
} from './reaction-runtime/webhook-settings.js'
import { REACTIONS } from './reactions/index.js'
import type { Reaction } from './reactions/reaction.js'

export type WorkerConfig = {
  redis: Secret<RedisTarget>
  /** The partitions that the worker serves: these, or all that are registered under the namespace. */
  partitions: readonly Partition[] | { namespace: string }
  database: Secret<DatabaseOptions>
  /** Decrypt the bodies that ingest has encrypted. */
  envelopeKeys?: Secret<EnvelopeKeys> | undefined
  mirroredKinds: KindsSetting
  reactions: readonly Reaction[]
  changeWebhooks?: ChangeWebhookConfig | undefined
  /** Without it there are no notifications about dead letters. */
  notifyUrl?: Secret<string> | undefined
  /** For requests to receivers of changes and alerts. */
  proxies?: ProxySettings
  /** Without it, no traces are recorded. */
  tracesUrl?: string | undefined
  host: string
  port: number
  logLevel: LogLevel
}

const readChangeWebhooks = (read: Read): ChangeWebhookConfig | undefined => {
  const urls = read.optional('CHANGE_WEBHOOK_URLS', secret(parseWebhookUrls))
  return (
    urls && {
      urls,
      secrets: read.required('CHANGE_WEBHOOK_SECRETS', secret(parseWebhookSecrets)),
      payload: read.optional('CHANGE_WEBHOOK_PAYLOAD', payloadFor(urls)),
      allowsPrivate: read.optional('CHANGE_WEBHOOK_ALLOW_PRIVATE', flag),
    }
  )
}

export const readWorkerConfig = (env: Environment): WorkerConfig =>
  readConfig(withProxyNames(env), (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    partitions: { namespace: read.optional('QUEUE_NAMESPACE', parseNamespace) },
    database: read.required('DATABASE_URL', secret(parseDatabaseUrl)),
    envelopeKeys: read.optional('ENVELOPE_KEYS', secret(parseEnvelopeKeys)),
    mirroredKinds: read.optional('MIRROR_KINDS', parseMirroredKinds),
    reactions: read.optional('REACTIONS', chooseReactions(REACTIONS)) ?? [],
    changeWebhooks: readChangeWebhooks(read),
    notifyUrl: read.optional('NOTIFY_WEBHOOK_URL', secret(webAddress)),
    proxies: {
      https: read.optional('HTTPS_PROXY', secret(parseProxy)),
      http: read.optional('HTTP_PROXY', secret(parseProxy)),
      except: read.optional('NO_PROXY', parseNoProxy) ?? (() => false),
    },
    tracesUrl: tracesUrlOf({
      endpoint: read.optional('OTEL_EXPORTER_OTLP_ENDPOINT', webAddress),
      tracesEndpoint: read.optional('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', webAddress),
      exporter: read.optional('OTEL_TRACES_EXPORTER', tracesExporter),
      isDisabled: read.optional('OTEL_SDK_DISABLED', openTelemetryFlag),
    }),
    host: read.optional('HOST', host),
    port: read.optional('WORKER_PORT', port),
    logLevel: read.optional('LOG_LEVEL', logLevel),
  }))
