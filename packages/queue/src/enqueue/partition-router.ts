import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { singleFlight } from '@clerk-mirror/runtime'
import type { IngestSettings, ProducerPresence } from '../heartbeats/producer-heartbeat.js'
import type { IncomingEvent } from '../job/queue-job.js'
import { HEARTBEAT_MS, HEARTBEAT_TTL_MS, REGISTER_RETRY_MS } from '../limits.js'
import { type PartitionScripts, registryKeys } from '../lua/partition-scripts.js'
import { indexOf, type Partition, type Partitions, partitions, spreadBy } from '../partitions.js'
import { ClockShift } from '../redis/clock-shift.js'
import type { RedisClient } from '../redis/connection.js'
import type { Write } from './replicas.js'

/** The number of partitions that a producer spreads its events over. */
export type Spread = { count: number; namespace: string; settings?: IngestSettings }

/** Decides the partition of each event. */
export type PartitionRouter = Disposable & {
  /** The partitions that receive events of this producer. */
  own: readonly Partition[]
  /** The partitions that may hold events, those of other producers included. */
  served: Partitions
  /**
   * Resolves when the partitions may receive events: at once, except the first time. @throws when Redis does not
   * answer.
   */
  ready: () => Promise<void> | undefined
  partitionFor: (envelope: IncomingEvent) => Partition
  /** Partitions that may hold a dead letter of this event, from times with another number of partitions. */
  previousPartitionsFor: (envelope: IncomingEvent) => readonly Partition[]
  /** Reopens a partition that was closed under this token. @throws when Redis does not answer. */
  reopen: (partition: Partition, token: string) => Promise<void>
}

/** A fixed list of partitions, without a registry. */
export const fixedPartitions = (list: readonly Partition[]): PartitionRouter => ({
  own: list,
  served: list,
  ready: () => undefined,
  partitionFor: (envelope) => list[indexOf(spreadBy(envelope), list.length)] as Partition,
  previousPartitionsFor: () => [],
  reopen: async () => {},
  [Symbol.dispose]() {},
})

/**
 * Registers a producer's partitions before the first event goes there, and repeats that it needs them, so that they are
 * not retired meanwhile. A producer that could not repeat it for a while and has lost one learns it from the partition
 * itself, which accepts nothing more, and registers again.
 */
export function registerProducer(
  client: RedisClient,
  { count, namespace, settings }: Spread,
  write: Write<PartitionScripts>,
): PartitionRouter {
  const keys = registryKeys(namespace)
  const own = partitions(count, namespace)
  const id = randomUUID()
  const about = { host: hostname(), pid: process.pid, startedAtMs: Date.now(), partitions: count }
  const self: ProducerPresence = { ...about, ...(settings && { settings }) }
  const clock = new ClockShift()
  const stop = new AbortController()
  let served = own
  let previousCounts: number[] = []
  let isRegistered = false
  const hasDeadLetters = new Map<string, boolean>()

  const register = singleFlight(async () => {
    const word = JSON.stringify({ ...self, ...(clock.ms !== undefined && { clockShiftMs: clock.ms }) })
    const [, registered = count, ...used] = await clock.measure(
      () => write(keys[0], (scripted) => scripted.clerkRegisterProducer(...keys, HEARTBEAT_TTL_MS, id, count, word)),
      ([redisTime]) => Number(redisTime),
    )
    if (registered !== served.length) served = partitions(registered, namespace)
    previousCounts = used.filter((each) => each !== count)
    isRegistered = true
  })
  const findDeadLetters = async () => {
    const reach = Math.min(served.length, Math.max(0, ...previousCounts))
    for (const { prefix, key } of served.slice(0, reach)) {
      hasDeadLetters.set(prefix, (await client.zcard(key('failed'))) > 0)
    }
  }
  const heartbeatLoop = async () => {
    while (!stop.signal.aborted) {
      const waitMs = await register()
        .then(findDeadLetters)
        .then(
          () => HEARTBEAT_MS,
          () => REGISTER_RETRY_MS,
        )
      await pause(waitMs, undefined, { signal: stop.signal, ref: false }).catch(() => {})
    }
  }
  void heartbeatLoop()
  return {
    own,
    served: { [Symbol.iterator]: () => served[Symbol.iterator]() },
    ready: () => (isRegistered ? undefined : register()),
    partitionFor: (envelope) => own[indexOf(spreadBy(envelope), count)] as Partition,
    previousPartitionsFor(envelope) {
      if (previousCounts.length === 0) return []
      const home = indexOf(spreadBy(envelope), count)
      const indexes = new Set(previousCounts.map((former) => indexOf(spreadBy(envelope), former)))
      return served.filter(({ prefix }, at) => at !== home && indexes.has(at) && hasDeadLetters.get(prefix) !== false)
    },
    async reopen({ prefix, key }, token) {
      await register()
      await write(prefix, (scripted) => scripted.clerkReopen(key('meta'), token))
    },
    [Symbol.dispose]() {
      stop.abort()
      // Lets its partitions be retired at once; without this the heartbeat expires.
      if (client.status === 'ready') client.hdel(keys[1], id).catch(() => {})
    },
  }
}

/** The token in the answer of a closed partition; undefined in any other answer. */
export const tokenIn = (answer: string): string | undefined => /^closed (.+)$/.exec(answer)?.[1]
