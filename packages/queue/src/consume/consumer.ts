import { setTimeout as pause } from 'node:timers/promises'
import { startHeartbeat, type WorkerSettings } from '../heartbeats/worker-heartbeat.js'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { LEASE_MS, STOP_CHECK_MS, STOP_DOWN_MS, STOP_RELEASE_MS, STOP_SILENT_MS } from '../limits.js'
import { withLeaseScripts } from '../lua/lease-scripts.js'
import type { Partitions } from '../partitions.js'
import { type ConnectionObserver, observe, openPatientClient, type RedisClient } from '../redis/connection.js'
import type { RedisTarget } from '../redis/redis-url.js'
import type { BreakerState } from './breaker.js'
import { type ConsumerProfile, EVENT_CONSUMER_PROFILE } from './consumer-profile.js'
import { BatchDispatcher, type Handle } from './dispatcher.js'
import { Load } from './load.js'
import { type ConsumerContext, PartitionWorker } from './partition-worker.js'
import type { EventObserver } from './process-job.js'
import { RedisBackoff } from './redis-backoff.js'
import { RepeatedErrors } from './repeated-errors.js'
import { StuckWorkerWatchdog, type WorkerStuck } from './stuck-watchdog.js'
import { WorkerPool } from './worker-pool.js'

/*
 * A consumer is in one of these states:
 *
 *   starting     the database has not answered its first probe: no event is taken
 *   consuming    workers take events, the dispatcher handles them in batches
 *   backing off  Redis answers with errors: no event is taken, events in flight are finished
 *   held         the breaker is open: no event is taken, and the dispatcher holds the events in flight
 *   stopping     no event is taken; events in flight are finished, or released while the breaker is open
 *   stopped      the heartbeat is deregistered and the connection closed
 *
 *   starting ─ first probe passes ─► consuming ◄─ FETCH_RETRY_MS pass ─► backing off
 *      │                              │     ▲        an error reply
 *      │ first probe fails    outage  │     │ a probe passes, and one event is handled
 *      └───────────────► held ◄───────┘─────┘
 *
 *   any of them ─ disposal ─► stopping ─ workers are closed ─► stopped
 *
 * Backing off and held may coincide: workers run only while neither holds. A consumer needs neither Redis nor the database
 * to be up: it waits for them. While it stops, a batch that a frozen database does not finish is released after
 * STOP_RELEASE_MS; and without Redis nothing can be finished or released, so the leases expire.
 */

/** Happenings in a consumer besides the handling of events; for logs and metrics. None may throw. */
export type ConsumerObserver = ConnectionObserver &
  EventObserver &
  ConsumerContext['observer'] & {
    breakerChanged: (state: BreakerState) => void
    /** Events wait and this worker does not take them any more: its process has to end, and to be started again. */
    stuck: (error: WorkerStuck) => void
  }

export type ConsumerOptions = {
  target: RedisTarget
  partitions: Partitions
  handle: Handle
  /** Resolves when the database works; called while the breaker is open. @throws Failure of class `outage` */
  probe: () => Promise<void>
  observer: ConsumerObserver
  /** Decrypt bodies that ingest encrypted. */
  keys?: EnvelopeKeys | undefined
  /** By default that of events. */
  profile?: ConsumerProfile
  /** Published with the heartbeat. */
  settings?: () => WorkerSettings
  random?: () => number
}

export type Consumer = AsyncDisposable & {
  /** Begins the stop that disposal waits for: consumers of one process stop at the same time. */
  beginStop: () => void
  breaker: () => BreakerState
  /** Events that this worker has taken and not finished; while the breaker is open, it holds them. */
  inFlight: () => number
  /** Whether some partition uses half of its in-flight limit, or more: other work of the process should wait. */
  isSaturated: () => boolean
  /** @throws when Redis does not answer. */
  ping: () => Promise<void>
  /** Why Redis, which answers, does not let this worker take events; null when it does. */
  redisError: () => string | null
}

/** Consumes events until disposed of. */
export function consume(options: ConsumerOptions): Consumer {
  const { profile = EVENT_CONSUMER_PROFILE, observer, partitions, random = Math.random } = options
  const client = withLeaseScripts(openPatientClient(options.target))
  observe(client, observer)
  let mayTake = false
  const updatePool = () => pool.setRunning(mayTake && !backoff.isBackingOff)
  const setMayTake = (may: boolean) => {
    mayTake = may
    updatePool()
  }
  const backoff = new RedisBackoff(updatePool)
  const onBreaker = (state: BreakerState) => {
    observer.breakerChanged(state)
    heartbeat.beat()
    setMayTake(state.kind === 'closed')
  }
  const dispatcher = new BatchDispatcher({ handle: options.handle, probe: options.probe, onBreaker, profile, random })
  const load = new Load()
  const payload = () => ({
    ...{ breaker: dispatcher.breaker.kind, held: dispatcher.inFlight },
    ...(options.settings && { settings: options.settings() }),
  })
  const heartbeat = startHeartbeat(client, partitions, payload, () => load.leaseMs - LEASE_MS)
  const stop = new AbortController()
  const context: ConsumerContext = {
    ...{ client, dispatcher, profile, observer, heartbeat, backoff, load, random },
    ...{
      keys: options.keys ?? NO_KEYS,
      stop: stop.signal,
      inProgress: new Map(),
      repeatedErrors: new RepeatedErrors(),
    },
    countInFlight: (partition, handle) => pool.countInFlight(partition, handle),
  }
  const pool = new WorkerPool({
    partitions,
    inFlight: () => Math.floor(profile.inFlight * load.share),
    leaseMs: () => load.leaseMs,
    openWorker: (partition, inFlight) => new PartitionWorker(partition, inFlight, context),
  })
  void dispatcher.begin().then(setMayTake)
  const watchdog = new StuckWorkerWatchdog({
    ...{ client, partitions, onStuck: observer.stuck },
    hasCapacity: (partition) => !backoff.lacksPermission && pool.hasCapacity(partition),
    patience: () => load.leaseMs / LEASE_MS,
  })
  const end = async () => {
    stop.abort()
    for (const owned of [watchdog, backoff, load]) owned[Symbol.dispose]()
    dispatcher.close()
    setMayTake(false)
    const releasing = setTimeout(() => dispatcher.releaseRunning(), STOP_RELEASE_MS)
    await pool.close(await isRedisGone(client))
    clearTimeout(releasing)
    await heartbeat.deregister()
    client.disconnect()
  }
  let ended: Promise<void> | undefined
  const stopped = () => {
    ended ??= end()
    return ended
  }
  return {
    beginStop: () => void stopped().catch(() => {}), // disposal throws it
    breaker: () => dispatcher.breaker,
    inFlight: () => dispatcher.inFlight,
    isSaturated: () => dispatcher.breaker.kind === 'closed' && pool.isSaturated(),
    ping: async () => void (await client.ping()),
    redisError: () => backoff.cause,
    [Symbol.asyncDispose]: stopped,
  }
}

/**
 * Whether Redis is gone: its connection is down, or silent for much longer. On a busy machine Redis may be late, and the
 * events in flight would wait for the end of their leases. Waits are counted and not measured: after each of them a
 * process that got no processor time meanwhile reads the answer that has arrived.
 */
async function isRedisGone(client: RedisClient): Promise<boolean> {
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
  for (let silentMs = 0; isHere === undefined; silentMs += STOP_CHECK_MS) {
    if (downMs >= STOP_DOWN_MS || silentMs >= STOP_SILENT_MS) return true
    await Promise.race([answered, pause(STOP_CHECK_MS)])
    downMs = client.status === 'ready' ? 0 : downMs + STOP_CHECK_MS
  }
  return !isHere
}
