import { setMaxListeners } from 'node:events'
import { type Mirror, openMirror, type Reactions } from '@clerk-mirror/mirror'
import {
  consume,
  type Partition,
  type Partitions,
  REACTION_PACE,
  type RegisteredReactions,
  reactionPartition,
} from '@clerk-mirror/queue/consume'
import { openReactionProducer } from '@clerk-mirror/queue/enqueue'
import { exportReactionGauges, openQueueGauges, type QueueGauges } from '@clerk-mirror/queue/gauges'
import { type Metrics, Releasers, type Surroundings, singleFlight } from '@clerk-mirror/runtime'
import type { WorkerConfig } from '../config.js'
import type { InstallationGuard } from '../installation-guard.js'
import { REACTION_CONNECTIONS } from '../limits.js'
import type { Alert } from '../notify.js'
import type { Reaction } from '../reactions/reaction.js'
import { objectReader } from './batched-object-reader.js'
import { webhookReaction } from './change-webhook.js'
import { demandNames } from './choose-reactions.js'
import { reactionRecorder } from './reaction-telemetry.js'
import { openRelay } from './relay.js'
import { runnerOf } from './run-reaction.js'
import { giveWay } from './throttle.js'
import { filterText } from './wants.js'
import type { ChangeWebhookConfig } from './webhook-settings.js'

/** The reactions of this worker, before anything runs. */
export type ReactionList = Disposable & {
  all: readonly Reaction[]
  /** As they go onto the register. */
  registered: RegisteredReactions
  /** Where changes wake the relay. */
  onAsked: (listener: Reactions['onAsked']) => void
  wake: Reactions['onAsked']
}

/** The reactions in code and one for each receiver of webhooks. @throws Error for a name that cannot be one. */
export function listReactions({ reactions, changeWebhooks, proxies }: WorkerConfig): ReactionList {
  const webhooks = changeWebhooks ? webhooksOf(changeWebhooks, proxies) : []
  const all = [...reactions, ...webhooks]
  demandNames(all)
  let listener: Reactions['onAsked'] = () => {}
  return {
    all,
    registered: new Map(all.map(({ name, wants }) => [name, wants.map(filterText)])),
    wake: (names) => listener(names),
    onAsked(told) {
      listener = told
    },
    [Symbol.dispose]() {
      for (const webhook of webhooks) webhook[Symbol.dispose]()
    },
  }
}

const webhooksOf = ({ urls, secrets, ...how }: ChangeWebhookConfig, proxies: WorkerConfig['proxies']) =>
  urls.reveal().map((url) => webhookReaction({ url, secrets: secrets.reveal(), ...how, proxies }))

type Around = Omit<Surroundings, 'signal'> & {
  metrics: Metrics
  tell: (news: Alert) => void
  isBehind: () => boolean
  guard: InstallationGuard
}

/** Starts handing over and running. Waits, as the worker does, for Redis and for the database. */
export async function startReactions(
  list: ReactionList,
  { redis, partitions, database }: Pick<WorkerConfig, 'redis' | 'database'> & { partitions: Partitions },
  { log, metrics, tell, fail, isBehind, guard }: Around,
): Promise<AsyncDisposable> {
  await using owned = new Releasers()
  const [events] = partitions
  if (list.all.length === 0 || !events) return owned.move()
  const target = redis.reveal()
  const record = reactionRecorder(log, metrics, tell)
  const options = database.reveal()
  const connectionLimit = Math.min(options.connectionLimit ?? REACTION_CONNECTIONS, REACTION_CONNECTIONS)
  // A pool of its own: the runs of a slow reaction must not keep events from their connections.
  const mirror = owned.use(openMirror({ ...options, connectionLimit }))
  const places = new Map(list.all.map(({ name }) => [name, reactionPartition(events, name)]))
  const producer = owned.use(openReactionProducer(target, events, [...places.keys()]))
  exportGauges(places, (partition) => owned.use(openQueueGauges(target, [partition])), { mirror, record, metrics })
  const permit = guard.demand
  const relay = owned.use(openRelay({ mirror, producer, partitions: places, isBehind, permit, observer: record.relay }))
  list.onAsked(relay.wake)
  const objectNow = objectReader(mirror.objectsNow)
  // Many runs that could not read ask the database one question.
  const canary = singleFlight(mirror.canary)
  const turn = giveWay(isBehind)
  const stop = new AbortController()
  // Each run listens to it, and many may run.
  setMaxListeners(0, stop.signal)
  const consumers = list.all.map((reaction) => {
    const { name } = reaction
    return owned.use(
      consume({
        target,
        partitions: [places.get(name) ?? reactionPartition(events, name)],
        handle: guard.guarded(
          runnerOf(reaction, { ...{ objectNow, canary, turn, log, stop: stop.signal, onDone: record.done } }),
        ),
        probe: () => mirror.canary().then(guard.ready),
        observer: { ...record.runsOf(name), wedged: fail },
        pace: REACTION_PACE,
      }),
    )
  })
  log.info({ event: 'reaction.started', reactions: [...places.keys()] })
  // First of all: what runs gives up, and is handed back instead of being waited for; by all consumers at once.
  owned.defer(() => {
    stop.abort()
    turn[Symbol.dispose]()
    for (const consumer of consumers) consumer.beginStop()
  })
  return owned.move()
}

type Told = { mirror: Mirror; record: ReturnType<typeof reactionRecorder>; metrics: Metrics }

function exportGauges(
  places: ReadonlyMap<string, Partition>,
  open: (partition: Partition) => QueueGauges,
  { mirror, record, metrics }: Told,
): void {
  const gauges = new Map([...places].map(([name, partition]) => [name, open(partition)]))
  exportReactionGauges(gauges, metrics)
  const [first] = gauges.values()
  if (first) record.outbox(first, mirror.outboxDepth)
}
