import { randomBytes } from 'node:crypto'
import type { Envelope } from '@clerk-mirror/events'
import { type Consumer, type ConsumerOptions, consume } from '@clerk-mirror/queue/consume'
import { openProducer, type Producer } from '@clerk-mirror/queue/enqueue'
import {
  type DeadLetters,
  openDeadLetters,
  openPartitionDesk,
  openPartitionRegistry,
  type PartitionDesk,
  type PartitionRegistry,
  parseRedisUrl,
  partitions,
} from '@clerk-mirror/queue/operate'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { until } from '../until.js'
import { done, envelope, UNOBSERVED } from './queue.js'

/** A queue of several partitions, with a registry of its own, on the Redis of this run. */
export type Family = AsyncDisposable & {
  name: string
  redis: Redis
  registry: PartitionRegistry
  desk: PartitionDesk
  /** Over the partitions on the registry. */
  deadLetters: DeadLetters
  /** Spreads events over so many partitions. */
  producer: (count: number) => Promise<Producer>
  /** Serves the registered partitions, and notes the events it has handled. */
  work: (options?: Partial<ConsumerOptions>) => Consumer & { handled: string[] }
  key: (index: number, name: string) => string
  /** How many of these lists' members each of so many partitions has. */
  sizes: (count: number, list: 'wait' | 'active' | 'failed' | 'delayed') => Promise<number[]>
  served: () => number
}

export async function openFamily(): Promise<Family> {
  const owned = new Releasers()
  const target = parseRedisUrl(inject('redisUrl'))
  const name = `test-${randomBytes(6).toString('hex')}`
  const redis = new Redis(inject('redisUrl'))
  owned.defer(async () => {
    const keys = await redis.keys(`{${name}-*`)
    if (keys.length > 0) await redis.del(...keys)
    redis.disconnect()
  })
  const registry = owned.use(openPartitionRegistry(target, name))
  const desk = owned.use(await openPartitionDesk(target, name))
  const deadLetters = owned.use(await openDeadLetters(target, registry))
  const key = (index: number, keyName: string) => partitions(index + 1, name)[index]?.key(keyName) ?? ''
  return {
    ...{ name, redis, registry, desk, deadLetters, key },
    async producer(count) {
      const producer = owned.use(openProducer(target, { count, namespace: name }, UNOBSERVED))
      await until(() => producer.inspect().then(() => true))
      return producer
    },
    work(options = {}) {
      const handled: string[] = []
      const handle = options.handle ?? (async (batch) => batch.map(() => done))
      const consumer = consume({
        target,
        partitions: registry,
        probe: async () => {},
        observer: UNOBSERVED,
        ...options,
        handle: (batch) => {
          handled.push(...batch.map((delivery) => delivery.envelope.eventId))
          return handle(batch)
        },
      })
      return Object.assign(owned.use(consumer), { handled })
    },
    sizes: (count, list) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          list === 'wait' || list === 'active' ? redis.llen(key(index, list)) : redis.zcard(key(index, list)),
        ),
      ),
    served: () => [...registry].length,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}

/** Events of so many people, one each: `msg_0` is about `user_0`. */
export const eventsOf = (people: number, changes: Partial<Envelope> = {}): Envelope[] =>
  Array.from({ length: people }, (_, index) => envelope(`msg_${index}`, { objectId: `user_${index}`, ...changes }))

export const idsOf = (events: readonly Envelope[]) => events.map(({ eventId }) => eventId).sort()
