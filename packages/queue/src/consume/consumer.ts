import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { announce, type WorkerSettings } from '../heartbeats/worker-heartbeat.js'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import {
  FETCH_RETRY_MS,
  LEASE_CHECK_MS,
  LEASE_MS,
  RETRY_JITTER,
  STALLS_MAX,
  STOP_DOWN_MS,
  STOP_LOOK_MS,
  STOP_RELEASE_MS,
  STOP_SILENT_MS,
} from '../limits.js'
import { withLeaseScripts } from '../lua/lease-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { type ConnectionObserver, observe, openPatientClient, type RedisClient } from '../redis/connection.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { Together } from './batched-backend.js'
import type { BreakerState } from './breaker.js'
import { EVENTS_PACE, type Pace } from './consumer-profile.js'
import { type Handle, Line } from './dispatcher.js'
import { Load } from './load.js'
import { type EventObserver, handleJob, type JobContext, Later } from './process-job.js'
import { Refusals } from './redis-backoff.js'
import { RepeatedErrors } from './repeated-errors.js'
import { type WorkerWedged, watchForWedge } from './stuck-watchdog.js'
import { Crew, type Hand } from './worker-pool.js'

/** What happens to events besides being handled; for logs and metrics. None may throw. */
export type ConsumerObserver = ConnectionObserver &
  EventObserver & {
    breakerChanged: (state: BreakerState) => void
    /** Something that the queue mends by itself, such as a lease that was lost. */
    workerFailed: (error: Error) => void
    /** Events wait and this worker will not take them any more: its process is to end, and to be started again. */
    wedged: (error: WorkerWedged) => void
  }

export type ConsumerOptions = {
  target: RedisTarget
  partitions: Partitions
  handle: Handle
  /** Resolves when the database works; asked while the breaker is open. @throws Failure of class `outage` */
  probe: () => Promise<void>
  observer: ConsumerObserver
  /** Open what ingest sealed. */
  keys?: EnvelopeKeys | undefined
  /** That of events, unless told otherwise. */
  pace?: Pace
  /** Told to others with the heartbeat. */
  settings?: () => WorkerSettings
  random?: () => number
}

export type Consumer = AsyncDisposable & {
  /** Begins what disposal waits for: consumers of one process stop beside each other. */
  beginStop: () => void
  breaker: () => BreakerState
  /** Events that this worker has taken and not finished; while the breaker is open, it holds them. */
  inHand: () => number
  /** Whether it has as good as all that it can do: half of what it may have in hand of some partition, or more. */
  isSaturated: () => boolean
  /** @throws when Redis does not answer. */
  ping: () => Promise<void>
  /** Why Redis, which answers, does not let this worker take events; null when it does. */
  refusal: () => string | null
}

/**
 * Takes events from the queue, once the database has shown that it works, until disposed of, which finishes what is in
 * hand, or gives it back while the breaker is open. Needs neither Redis nor the database to be up: it waits for them.
 */
export function consume(options: ConsumerOptions): Consumer {
  const { pace = EVENTS_PACE } = options
  const client = withLeaseScripts(openPatientClient(options.target))
  observe(client, options.observer)
  let takes = false
  const steer = () => crew.take(takes && !refusals.rests)
  const refusals = new Refusals(steer)
  const takeEvents = (may: boolean) => {
    takes = may
    steer()
  }
  const line = new Line({
    handle: options.handle,
    probe: options.probe,
    onBreaker(state) {
      options.observer.breakerChanged(state)
      presence.say()
      takeEvents(state.kind === 'closed')
    },
    pace,
    ...(options.random && { random: options.random }),
  })
  const load = new Load()
  const presence = announce(
    client,
    options.partitions,
    () => ({
      ...{ breaker: line.breaker.kind, held: line.inHand },
      ...(options.settings && { settings: options.settings() }),
    }),
    () => load.leaseMs - LEASE_MS,
  )
  const stop = new AbortController()
  const { observer, keys = NO_KEYS } = options
  const workplace: ConsumerContext = {
    ...{ client, line, pace, observer, keys, presence, stop: stop.signal, inProgress: new Map(), refusals, load },
    failures: new RepeatedErrors(),
    holding: (partition, handle) => crew.holding(partition, handle),
  }
  const crew = new Crew({
    partitions: options.partitions,
    inFlight: () => Math.floor(pace.inFlight * load.share),
    leaseMs: () => load.leaseMs,
    workerOf: (partition, inFlight) => workerOf(partition, inFlight, workplace, options),
  })
  void line.begin().then(takeEvents)
  const watch = watchForWedge({
    client,
    partitions: options.partitions,
    hasRoom: (partition) => !refusals.lacksRight && crew.hasRoom(partition),
    patience: () => load.leaseMs / LEASE_MS,
    wedged: options.observer.wedged,
  })
  const end = async () => {
    stop.abort()
    watch[Symbol.dispose]()
    refusals[Symbol.dispose]()
    load[Symbol.dispose]()
    line.close()
    takeEvents(false)
    const releasing = setTimeout(() => line.release(), STOP_RELEASE_MS)
    // Without Redis nothing can be finished or handed back: the leases run out, and others have the events then.
    await crew.close(await isGone(client))
    clearTimeout(releasing)
    await presence.leave()
    client.disconnect()
  }
  let ended: Promise<void> | undefined
  const stopped = () => {
    ended ??= end()
    return ended
  }
  return {
    breaker: () => line.breaker,
    inHand: () => line.inHand,
    isSaturated: () => line.breaker.kind === 'closed' && crew.isHalfFull(),
    ping: async () => void (await client.ping()),
    refusal: () => refusals.cause,
    beginStop: () => void stopped().catch(() => {}), // disposal throws it
    [Symbol.asyncDispose]: stopped,
  }
}

/**
 * Whether Redis is gone: the connection is down, or silent for much longer. On a busy machine Redis may be late, and
 * what the worker holds would wait for the end of its leases. Waits are counted and not measured: after each of them a
 * process that got no processor meanwhile reads the answer that has arrived.
 */
async function isGone(client: RedisClient): Promise<boolean> {
  let isHere: boolean | undefined
  const answered = client.ping().then(
    () => {
      isHere = true
    },
    () => {
      isHere = false
    },
  )
  let downMs = 0
  for (let silentMs = 0; isHere === undefined; silentMs += STOP_LOOK_MS) {
    if (downMs >= STOP_DOWN_MS || silentMs >= STOP_SILENT_MS) return true
    await Promise.race([answered, pause(STOP_LOOK_MS)])
    downMs = client.status === 'ready' ? 0 : downMs + STOP_LOOK_MS
  }
  return !isHere
}

type ConsumerContext = JobContext & {
  observer: ConsumerObserver
  refusals: Refusals
  failures: RepeatedErrors
  load: Load
  holding: Crew['holding']
}

function workerOf(partition: Partition, inFlight: number, workplace: ConsumerContext, options: ConsumerOptions): Hand {
  const { client, pace, observer, refusals, failures, load } = workplace
  const { random = Math.random } = options
  const delayOf = async (attemptsMade: number, _type?: string, error?: Error, job?: { id?: string | undefined }) => {
    const delayMs = Math.max(retryDelay(attemptsMade, random, pace), error instanceof Later ? error.notBeforeMs : 0)
    // For the age gauge alone: the event must not look as if it had waited in vain all the while.
    await client.clerkRetries(partition.key(job?.id ?? ''), delayMs).catch(() => {})
    return delayMs
  }
  const together: Together = new Together(partition, client, {
    inFlight: () => worker.concurrency,
    leaseMs: () => load.leaseMs,
    onLost: (events) => observer.workerFailed(new LeasesLost(events)),
  })
  const process = together.counting((job, token) =>
    workplace.holding(partition, () => handleJob(job, token, partition, workplace)),
  )
  const settings = {
    connection: client,
    autorun: false,
    prefix: partition.prefix,
    concurrency: inFlight,
    lockDuration: LEASE_MS,
    stalledInterval: LEASE_CHECK_MS,
    maxStalledCount: STALLS_MAX,
    runRetryDelay: FETCH_RETRY_MS,
    removeOnComplete: { count: 0 },
    settings: { backoffStrategy: delayOf },
  }
  const worker: Worker = new Worker(partition.queue, process, settings, together.backend)
  worker.on('paused', () => void together.handBack())
  worker.on('closing', () => void together.handBack())
  worker.on('error', (error) => {
    // The connection has told its observer already; BullMQ tells each of its errors again.
    if (client.status !== 'ready') return
    const isNews = error.name === 'ReplyError' ? refusals.add(error.message) : failures.add(error.message)
    if (isNews) observer.workerFailed(error)
  })
  return { worker, handBack: () => together.handBack(), isIdle: () => together.isIdle }
}

/** The delay of the table, with jitter. */
export function retryDelay(attemptsMade: number, random: () => number, pace = EVENTS_PACE): number {
  const { retryDelaysMs } = pace
  const delayMs = retryDelaysMs[Math.min(attemptsMade, retryDelaysMs.length) - 1] ?? 0
  // BullMQ takes 0 for "at once", past the queue of delayed jobs.
  return Math.max(1, Math.round(delayMs * (1 - RETRY_JITTER + 2 * RETRY_JITTER * random())))
}

/**
 * This process got too little of the processor to renew them; it goes on, and nothing of it counts against the events.
 */
class LeasesLost extends Error {
  override readonly name = 'LeasesLost'

  constructor(events: number) {
    super(`lost the leases of ${events} events, which other workers have now: it was late to renew them`)
  }
}
