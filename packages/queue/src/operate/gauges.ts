import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { GAUGES_LEASE_MS, GAUGES_RENEW_MS, GAUGES_RETRY_MS, READING_MS } from '../limits.js'
import { type GaugeScripts, withGaugeScripts } from '../lua/gauge-scripts.js'
import { firstOf, type Partitions, QUEUES } from '../partitions.js'
import { openPromptClient, type RedisClient } from '../redis/connection.js'
import { ProcessLease, withProcessLease } from '../redis/process-lease.js'
import { memoryShare } from '../redis/redis-memory.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { type BlockedByCode, countBlocked } from './blocked.js'
import { DeadLetterCounter, type DeadLettersByClass } from './dead-letter-counter.js'
import {
  AGREED_SETTINGS,
  type AgreedSetting,
  type Disagreement,
  disagreementsOf,
  readLivingProcesses,
} from './disagreements.js'
import { type QueueDepth, readQueueDepth } from './queue-depth.js'

/** The state of the whole queue, all partitions together. */
export type QueueReading = {
  /** Retrying events wait for the time of their next try, dead ones for an operator. */
  events: QueueDepth
  /**
   * Milliseconds since the oldest event that waits or runs was queued, replayed or due for its retry; 0 without one.
   */
  oldestMs: number
  /** Null before the first complete count. */
  deadByClass: DeadLettersByClass | null
  /** These events wait for their next try, and count among the retrying ones too. */
  blockedByCode: BlockedByCode
  /** Of Redis' maxmemory; null without one. */
  memoryShare: number | null
  /**
   * Number of values of each setting that living processes disagree about; 0 where they agree. Null for queues of
   * reactions.
   */
  disagreements: Readonly<Record<AgreedSetting, number>> | null
}

export type QueueGauges = AsyncDisposable & {
  /** Null while another process holds the lease, or Redis does not answer. */
  read: () => Promise<QueueReading | null>
}

/**
 * The queue's gauges, exported once: of all processes that open them, only the holder of a short lease in Redis reads
 * them. Otherwise every series would exist once for each process, and every sum over them would be wrong. Connects in
 * the background, and again after each outage.
 */
export function openQueueGauges(target: RedisTarget, partitions: Partitions): QueueGauges {
  const client = withProcessLease(withGaugeScripts(openPromptClient(target)))
  client.on('error', () => {}) // each command reports its own, and the process has been told by its other connection
  const counter = new DeadLetterCounter(client, partitions)
  const key = firstOf(partitions).key('clerk-mirror:gauges')
  const lease = new ProcessLease(client, key, randomUUID(), GAUGES_LEASE_MS)
  const stop = new AbortController()
  const watching = watch(lease, counter, stop.signal)
  let reading = { sinceMs: Number.NEGATIVE_INFINITY, result: Promise.resolve<QueueReading | null>(null) }
  return {
    async read() {
      if (!lease.isHeld()) return null
      const nowMs = performance.now()
      if (nowMs - reading.sinceMs >= READING_MS) {
        reading = { sinceMs: nowMs, result: readQueue(client, partitions, counter).catch(() => null) }
      }
      return reading.result
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await watching
      await lease.release()
      client.disconnect()
    },
  }
}

async function watch(lease: ProcessLease, counter: DeadLetterCounter, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let pauseMs = GAUGES_RENEW_MS
    try {
      if (await lease.renew()) await counter.countNextPage()
    } catch {
      // Redis is away, or not connected yet: the lease expires by itself, here and there.
      pauseMs = GAUGES_RETRY_MS
    }
    await pause(pauseMs, undefined, { signal }).catch(() => {})
  }
}

const countsOf = (disagreements: readonly Disagreement[]): Readonly<Record<AgreedSetting, number>> => {
  const counted = disagreements.map(({ setting, values }) => [setting, values.length])
  return { ...NO_DISAGREEMENTS, ...Object.fromEntries(counted) }
}

const NO_DISAGREEMENTS = Object.fromEntries(AGREED_SETTINGS.map((setting) => [setting, 0])) as Record<
  AgreedSetting,
  number
>

async function readQueue(
  client: RedisClient & GaugeScripts,
  partitions: Partitions,
  counter: DeadLetterCounter,
): Promise<QueueReading> {
  const [share, blockedByCode, living, depth] = await Promise.all([
    memoryShare(client),
    countBlocked(client, partitions),
    firstOf(partitions).queue === QUEUES.events ? readLivingProcesses(client, partitions) : null,
    readQueueDepth(client, partitions),
  ])
  return {
    ...depth,
    deadByClass: counter.last,
    blockedByCode,
    memoryShare: share,
    disagreements: living && countsOf(disagreementsOf(living)),
  }
}
