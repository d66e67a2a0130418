import { setMaxListeners } from 'node:events'
import { type Mirror, openMirror, type Reactions } from '@clerk-mirror/mirror'
import {
  consume,
  type Partition,
  type Partitions,
  REACTION_CONSUMER_PROFILE,
  type RegisteredReactions,
  reactionPartition,
} from '@clerk-mirror/queue/consume'
import { openReactionProducer } from '@clerk-mirror/queue/enqueue'
import { exportReactionGauges, openQueueGauges, type QueueGauges } from '@clerk-mirror/queue/gauges'
import { type Metrics, type ProcessContext, Releasers } from '@clerk-mirror/runtime'
import type { WorkerConfig } from '../config.js'
import type { InstallationGuard } from '../installation-guard.js'
import { REACTION_CONNECTIONS } from '../limits.js'
import type { Alert } from '../notify.js'
import type { Reaction } from '../reactions/reaction.js'
import { batchedObjectReader, singleFlight } from './batched-object-reader.js'
import { webhookReaction } from './change-webhook.js'
import { demandNames } from './choose-reactions.js'
import { reactionRecorder } from './reaction-telemetry.js'
import { openRelay } from './relay.js'
import { runnerOf } from './run-reaction.js'
import { throttleWhileSaturated } from './throttle.js'
import { filterText } from './wants.js'
import type { ChangeWebhookConfig } from './webhook-settings.js'

/** The reactions of this worker, before any of them runs. */
export type ReactionList = Disposable & {
  all: readonly Reaction[]
  /** In the form of the register. */
  registered: RegisteredReactions
  /** Sets the listener that new requests wake. */
  onRequested: (listener: Reactions['onRequested']) => void
  wake: Reactions['onRequested']
}

/** The reactions in code and one for each webhook receiver. @throws Error for an invalid name. */
export function listReactions({ reactions, changeWebhooks, proxies }: WorkerConfig): ReactionList {
  const webhooks = changeWebhooks ? webhooksOf(changeWebhooks, proxies) : []
  const all = [...reactions, ...webhooks]
  demandNames(all)
  let listener: Reactions['onRequested'] = () => {}
  return {
    all,
    registered: new Map(all.map(({ name, wants }) => [name, wants.map(filterText)])),
    wake: (names) => listener(names),
    onRequested(newListener) {
      listener = newListener
    },
    [Symbol.dispose]() {
      for (const webhook of webhooks) webhook[Symbol.dispose]()
    },
  }
}

const webhooksOf = ({ urls, secrets, ...how }: ChangeWebhookConfig, proxies: WorkerConfig['proxies']) =>
  urls.reveal().map((url) => webhookReaction({ url, secrets: secrets.reveal(), ...how, proxies }))

type ReactionContext = Omit<ProcessContext, 'signal'> & {
  metrics: Metrics
  notify: (alert: Alert) => void
  isSaturated: () => boolean
  guard: InstallationGuard
}

/** Starts relaying and running. Waits, as the worker does, for Redis and for the database. */
export async function startReactions(
  list: ReactionList,
  { redis, partitions, database }: Pick<WorkerConfig, 'redis' | 'database'> & { partitions: Partitions },
  { log, metrics, notify, fail, isSaturated, guard }: ReactionContext,
): Promise<AsyncDisposable> {
  await using owned = new Releasers()
  const [events] = partitions
  if (list.all.length === 0 || !events) return owned.move()
  const target = redis.reveal()
  const record = reactionRecorder(log, metrics, notify)
  const options = database.reveal()
  const connectionLimit = Math.min(options.connectionLimit ?? REACTION_CONNECTIONS, REACTION_CONNECTIONS)
  // A pool of its own: the runs of a slow reaction must not keep events from their connections.
  const mirror = owned.use(openMirror({ ...options, connectionLimit }))
  const partitionOf = new Map(list.all.map(({ name }) => [name, reactionPartition(events, name)]))
  const producer = owned.use(openReactionProducer(target, events, [...partitionOf.keys()]))
  exportGauges(partitionOf, (partition) => owned.use(openQueueGauges(target, [partition])), { mirror, record, metrics })
  const permit = guard.demand
  const relay = owned.use(
    openRelay({ mirror, producer, partitions: partitionOf, isSaturated, permit, observer: record.relay }),
  )
  list.onRequested(relay.wake)
  const objectNow = batchedObjectReader(mirror.objectsNow)
  const canary = singleFlight(mirror.canary)
  const throttle = throttleWhileSaturated(isSaturated)
  const stop = new AbortController()
  // Each run listens to it, and there may be many.
  setMaxListeners(0, stop.signal)
  const consumers = list.all.map((reaction) => {
    const { name } = reaction
    return owned.use(
      consume({
        target,
        partitions: [partitionOf.get(name) ?? reactionPartition(events, name)],
        handle: guard.guarded(
          runnerOf(reaction, { ...{ objectNow, canary, throttle, log, stop: stop.signal, onDone: record.done } }),
        ),
        probe: () => mirror.canary().then(guard.ready),
        observer: { ...record.runsOf(name), stuck: fail },
        profile: REACTION_CONSUMER_PROFILE,
      }),
    )
  })
  log.info({ event: 'reaction.started', reactions: [...partitionOf.keys()] })
  // Runs before all other releases: runs in flight are abandoned and released instead of awaited; by all consumers at
  // once.
  owned.defer(() => {
    stop.abort()
    throttle[Symbol.dispose]()
    for (const consumer of consumers) consumer.beginStop()
  })
  return owned.move()
}

type GaugeContext = { mirror: Mirror; record: ReturnType<typeof reactionRecorder>; metrics: Metrics }

function exportGauges(
  partitionOf: ReadonlyMap<string, Partition>,
  open: (partition: Partition) => QueueGauges,
  { mirror, record, metrics }: GaugeContext,
): void {
  const gauges = new Map([...partitionOf].map(([name, partition]) => [name, open(partition)]))
  exportReactionGauges(gauges, metrics)
  const [first] = gauges.values()
  if (first) record.outbox(first, mirror.outboxDepth)
}
