import { setTimeout as pause } from 'node:timers/promises'
import { openProducer, type Producer } from '@clerk-mirror/queue/enqueue'
import { exportQueueGauges, openQueueGauges } from '@clerk-mirror/queue/gauges'
import {
  Connections,
  HttpEdge,
  type Log,
  listenError,
  openMetrics,
  openTracing,
  type ProcessContext,
  Releasers,
  readinessOf,
  releaseName,
  serveHealth,
  warnOfClearText,
} from '@clerk-mirror/runtime'
import type { IngestConfig } from './config.js'
import { BACKLOG_MAX, BODY_BYTES_SUM_MAX, CONNECTIONS_MAX, LOOK_MS, START_LOOK_MS, START_WAIT_MS } from './limits.js'
import { ingestMetrics } from './metrics.js'
import { redisCheck, warnOfLoss } from './redis-safety.js'
import { testSigningKeys } from './self-test.js'
import { buildServer } from './server.js'

export type Ingest = AsyncDisposable & { port: number; metricsPort: number }

/** Starts ingest. Redis need not be there: until it is, the answer is 503. */
export async function startIngest(config: IngestConfig, { log, signal }: ProcessContext): Promise<Ingest> {
  await using owned = new Releasers()
  const keys = config.signingKeys.reveal()
  warnOfClearText(log, { redis: config.redis.reveal() })
  testSigningKeys(keys, Date.now())
  const metrics = openMetrics('ingest')
  const tracing = owned.use(await openTracing('ingest', config.tracesUrl, log))
  const producer = owned.use(
    openProducer(
      config.redis.reveal(),
      placeOf(config),
      {
        redisLost: (err) => log.warn({ event: 'redis.lost', err }, 'answering 503 until Redis is back'),
        redisBack: () => log.info({ event: 'redis.back' }),
      },
      config.envelopeKeys?.reveal(),
      config.waitReplicas,
    ),
  )
  // Here too: when all workers are gone, the age of waiting events must still be exported.
  exportQueueGauges(owned.use(openQueueGauges(config.redis.reveal(), producer.partitions)), metrics)
  const readiness = readinessOf({ redis: () => redisCheck(producer, config.allowEviction) }, signal)
  const { host, keepAliveMs, trustProxy } = config
  const about = { readiness, metrics, log, stopping: signal }
  const health = owned.use(await serveHealth({ host, port: config.metricsPort, settingName: 'METRICS_PORT', ...about }))
  const webhook = { keys, instanceId: config.instanceId, enqueue: producer.enqueue, tracing, clock: Date.now }
  const ingest = ingestMetrics(metrics)
  const limits = { connectionsMax: CONNECTIONS_MAX, bodyBytesMax: BODY_BYTES_SUM_MAX }
  const connections = new Connections(limits, (reason) => ingest.closed.inc({ reason }))
  const edge = new HttpEdge({ stopping: signal, onExcess: () => ingest.closed.inc({ reason: 'pipelined' }) })
  metrics.beforeScrape(async () => {
    ingest.connections.set({}, connections.count)
    ingest.bodyBytes.set({}, connections.bodyBytes)
  })
  const server = buildServer({
    ...{ webhook, edge, connections, keepAliveMs, readiness, log, trustProxy },
    metrics: ingest,
  })
  owned.defer(() => server.close())
  owned.defer(() => edge.close())
  await redisAnswers(producer, signal)
  await server.listen({ host, port: config.port, backlog: BACKLOG_MAX }).catch((error: unknown) => {
    throw listenError(error, { host, port: config.port, settingName: 'INGEST_PORT' })
  })
  const address = server.server.address()
  const port = typeof address === 'object' && address ? address.port : config.port
  log.info({ event: 'ingest.listening', host, port })
  void watchSafety(producer, log, signal)
  const released = owned.move()
  return { port, metricsPort: health.port, [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() }
}

/**
 * Resolves when Redis takes events, or after START_WAIT_MS: a balancer that asks no `/readyz` sends events as soon as
 * the port is open, and those before the first connection to Redis would be refused.
 */
async function redisAnswers(producer: Producer, signal: AbortSignal): Promise<void> {
  const given = AbortSignal.any([signal, AbortSignal.timeout(START_WAIT_MS)])
  while (!given.aborted) {
    try {
      return void (await producer.inspect())
    } catch {
      await pause(START_LOOK_MS, undefined, { signal: given }).catch(() => {})
    }
  }
}

/** The destination of events, with the settings that this process shares with the others. */
function placeOf({ partitions, instanceId, envelopeKeys }: IngestConfig): IngestConfig['partitions'] {
  if (!('count' in partitions)) return partitions
  const keyIds = [...(envelopeKeys?.reveal().keys() ?? [])]
  return { ...partitions, settings: { version: releaseName(), instanceId: instanceId ?? null, keyIds } }
}

async function watchSafety(producer: Producer, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return warnOfLoss(await producer.inspect(), log)
    } catch {
      await pause(LOOK_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  }
}
