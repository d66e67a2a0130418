import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import {
  type AlertClaims,
  type Consumer,
  consume,
  openAlertClaims,
  openPartitionRegistry,
  type Partitions,
} from '@clerk-mirror/queue/consume'
import { exportQueueGauges, openQueueGauges } from '@clerk-mirror/queue/gauges'
import {
  type Check,
  openMetrics,
  openTracing,
  type ProcessContext,
  Releasers,
  readinessOf,
  type Secret,
  serveHealth,
  warnOfClearText,
} from '@clerk-mirror/runtime'
import { openAgreement } from './agreement.js'
import { BlockedCauses } from './blocked-causes.js'
import type { WorkerConfig } from './config.js'
import { handlerFor } from './handle.js'
import { type Alert, type Notifier, type NotifierOptions, openNotifier } from './notify.js'
import { withSpans } from './otel-spans.js'
import { requestedReactions } from './reaction-runtime/requested-reactions.js'
import { listReactions, startReactions } from './reaction-runtime/start-reactions.js'
import { warnOfReceivers } from './reaction-runtime/webhook-settings.js'
import { causeOf, recorder } from './telemetry.js'

export type WorkerProcess = AsyncDisposable & { port: number }

/** Starts a worker. Neither Redis nor the database needs to be up: the worker waits for both. */
export async function startWorker(config: WorkerConfig, { log, signal, fail }: ProcessContext): Promise<WorkerProcess> {
  await using owned = new Releasers()
  const metrics = openMetrics('worker')
  const tracing = owned.use(await openTracing('worker', config.tracesUrl, log))
  const notify = (alert: Alert) => notifier?.deadLettered(alert)
  const blocked = new BlockedCauses()
  const record = recorder(log, metrics, notify, blocked)
  const reactions = owned.use(listReactions(config))
  const requested = requestedReactions(reactions)
  const mirror = owned.use(
    openMirror(config.database.reveal(), { reactions: requested.forMirror, onFutureVersions: record.futureVersions }),
  )
  const readiness = readinessOf(
    {
      redis: () => redisCheck(consumer),
      mysql: () => databaseCheck(consumer, mirror, blocked),
    },
    signal,
  )
  const { host, port } = config
  const about = { readiness, metrics, log, stopping: signal }
  const health = owned.use(await serveHealth({ host, port, settingName: 'WORKER_PORT', ...about }))
  const target = config.redis.reveal()
  warnOfClearText(log, { redis: target, database: config.database.reveal() })
  warnOfReceivers(log, config)
  const partitions = partitionsOf(config, owned)
  exportQueueGauges(owned.use(openQueueGauges(target, partitions)), metrics)
  const agreement = openAgreement(owned, {
    ...{ config, target, partitions, mirror, reactions, requested, log, metrics, fail },
  })
  const notifier =
    config.notifyUrl && notifierTo(config, config.notifyUrl, openAlertClaims(target, partitions), owned, record.notices)
  // After the port is bound: a process that cannot start must not take events.
  const consumer = owned.use(
    consume({
      target,
      partitions,
      handle: withSpans(
        record.timed(agreement.agreed(handlerFor(mirror, config.mirroredKinds, record.handled))),
        tracing,
      ),
      probe: agreement.probe,
      settings: agreement.settings,
      observer: { ...record.observer, stuck: fail },
      keys: config.envelopeKeys?.reveal(),
    }),
  )
  record.load(consumer)
  owned.use(
    await startReactions(
      reactions,
      { ...config, partitions },
      { log, metrics, notify, fail, isSaturated: consumer.isSaturated, guard: agreement.guard },
    ),
  )
  // The consumer of events stops while those of the reactions do: the process' deadline covers all of them.
  owned.defer(consumer.beginStop)
  const released = owned.move()
  return { port: health.port, [Symbol.asyncDispose]: () => released[Symbol.asyncDispose]() }
}

/** Opened before everything that uses them, and released after it. */
function partitionsOf({ redis, partitions }: WorkerConfig, owned: Releasers): Partitions {
  return 'namespace' in partitions ? owned.use(openPartitionRegistry(redis.reveal(), partitions.namespace)) : partitions
}

function notifierTo(
  { proxies }: WorkerConfig,
  url: Secret<string>,
  claims: AlertClaims,
  owned: Releasers,
  observer: NotifierOptions['observer'],
): Notifier {
  return owned.use(openNotifier({ url: url.reveal(), proxies, claims: owned.use(claims), observer }))
}

async function redisCheck(consumer: Consumer): Promise<Check> {
  await consumer.ping()
  const cause = consumer.redisError()
  return cause === null ? { ok: true } : { ok: false, cause }
}

/** An open breaker knows the cause already; the database would tell no more. */
async function databaseCheck(consumer: Consumer, mirror: Mirror, blocked: BlockedCauses): Promise<Check> {
  const breaker = consumer.breaker()
  if (breaker.kind !== 'closed') return { ok: false, cause: breaker.failure.message }
  try {
    await mirror.canary()
    const foreign = await mirror.foreignConstraints()
    const notes = [...foreign.map(({ message }) => message), blocked.note()].filter((note) => note !== null)
    return { ok: true, ...(notes.length > 0 && { note: notes.join('; ') }) }
  } catch (error) {
    return { ok: false, cause: causeOf(error) }
  }
}
