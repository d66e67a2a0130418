import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type ProducerPresence, readProducers } from '../heartbeats/producer-heartbeat.js'
import { HEARTBEAT_TTL_MS, REGISTRY_POLL_MS } from '../limits.js'
import { PLACES, registryKeys, withPartitionScripts } from '../lua/partition-scripts.js'
import { type Partition, type Partitions, partitions } from '../partitions.js'
import { connectOperator, openPromptClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'

/** The partitions on the registry, as of the last poll. */
export type PartitionRegistry = Partitions & Disposable

/**
 * For long-running processes: polls the registry. Connects in the background; until Redis answers, and while it is
 * away, the partitions of the last answer are served, and at the beginning the first one.
 */
export function openPartitionRegistry(target: RedisTarget, namespace: string): PartitionRegistry {
  const client = openPromptClient(target)
  client.on('error', () => {}) // the process has been told by its other connection
  const stop = new AbortController()
  let served = partitions(1, namespace)
  const pollLoop = async () => {
    while (!stop.signal.aborted) {
      const { count } = await readProducers(client, namespace).catch(() => ({ count: served.length }))
      if (count !== served.length) served = partitions(count, namespace)
      await pause(REGISTRY_POLL_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
    }
  }
  void pollLoop()
  return {
    [Symbol.iterator]: () => served[Symbol.iterator](),
    [Symbol.dispose]() {
      stop.abort()
      client.disconnect()
    },
  }
}

/** For commands: the partitions on the registry now. @throws QueueUnavailable */
export async function readPartitions(target: RedisTarget, namespace: string): Promise<Partition[]> {
  using desk = await openPartitionDesk(target, namespace)
  return partitions((await desk.list()).partitions.length, namespace)
}

/**
 * The number of events in a partition, and of producers that put events there. `doors` is the name in the JSON of
 * `partitions list`, a contract.
 */
export type PartitionReport = { prefix: string; events: number; doors: number }

export type Retirement =
  | { kind: 'retired' }
  /** Not on the registry (any more). */
  | { kind: 'unknown' }
  /** The first partition holds the shared records. */
  | { kind: 'first' }
  /** Partitions with higher numbers exist, and are retired first. */
  | { kind: 'not-last'; count: number }
  /** These producers spread events over it. */
  | { kind: 'in-use'; doors: ProducerPresence[] }
  | { kind: 'not-empty'; events: number }

/** Every method throws QueueUnavailable when Redis does not answer. */
export type PartitionDesk = Disposable & {
  list: () => Promise<{ partitions: PartitionReport[]; doors: ProducerPresence[] }>
  /**
   * Takes a partition off the registry when it is empty and no producer needs it. Loses no event in any interleaving.
   */
  retire: (index: number) => Promise<Retirement>
}

/** For operators. @throws QueueUnavailable when Redis cannot be reached. */
export async function openPartitionDesk(target: RedisTarget, namespace: string): Promise<PartitionDesk> {
  const client = withPartitionScripts(await connectOperator(target))
  const keys = registryKeys(namespace)
  return {
    async list() {
      const { count, producers } = await asQueueUnavailable(readProducers(client, namespace))
      const reports = partitions(count, namespace).map(async ({ prefix, key }, index) => {
        const sizes = await asQueueUnavailable(Promise.all([client.llen(key('wait')), client.llen(key('active'))]))
        const sets = (['delayed', 'prioritized', 'failed', 'completed'] as const).map((name) => client.zcard(key(name)))
        const events = [...sizes, ...(await asQueueUnavailable(Promise.all(sets)))].reduce((sum, size) => sum + size, 0)
        return { prefix, events, doors: producers.filter((producer) => producer.partitions > index).length }
      })
      return { partitions: await Promise.all(reports), doors: producers }
    },
    async retire(index) {
      if (index === 0) return { kind: 'first' }
      const token = randomUUID()
      const may = await asQueueUnavailable(client.clerkBeginRetiring(...keys, HEARTBEAT_TTL_MS, index, token))
      if (may === 'no') return { kind: 'unknown' }
      const { count, producers } = await asQueueUnavailable(readProducers(client, namespace))
      if (may === 'not-last') return { kind: 'not-last', count }
      if (may === 'in-use')
        return { kind: 'in-use', doors: producers.filter((producer) => producer.partitions > index) }
      const { key } = partitions(index + 1, namespace)[index] as Partition
      // Closed before it leaves the registry: a producer that was frozen meanwhile finds it closed, and registers
      // again.
      const events = await asQueueUnavailable(client.clerkClose(key('meta'), ...PLACES.map(key), token))
      if (events > 0) return { kind: 'not-empty', events }
      if ((await asQueueUnavailable(client.clerkEndRetiring(...keys, index, token))) === 1) return { kind: 'retired' }
      const now = await asQueueUnavailable(readProducers(client, namespace))
      return { kind: 'in-use', doors: now.producers.filter((producer) => producer.partitions > index) }
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}
