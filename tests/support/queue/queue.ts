import { randomBytes } from 'node:crypto'
import type { Envelope, Failure } from '@clerk-mirror/events'
import {
  type Consumer,
  type ConsumerOptions,
  consume,
  type Disposition,
  type EnvelopeKeys,
  type Partition,
  parseRedisUrl,
  partition,
} from '@clerk-mirror/queue/consume'
import { openProducer, type Producer, type QueueName } from '@clerk-mirror/queue/enqueue'
import { type DeadLetters, openDeadLetters } from '@clerk-mirror/queue/operate'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { type ConsumerProfile, EVENT_CONSUMER_PROFILE } from '../../../packages/queue/src/consume/consumer-profile.js'
import { until } from '../until.js'

export type TestQueue = AsyncDisposable & {
  partition: Partition
  producer: Producer
  deadLetters: DeadLetters
  redis: Redis
  /** A worker on this queue; handles everything as done unless told otherwise. */
  work: (options?: Partial<ConsumerOptions>) => Consumer & { seen: Seen }
}

export type Seen = {
  handled: string[][]
  retried: string[]
  blocked: string[]
  dead: { id: string; failure: Failure }[]
}

type TestQueueOptions = {
  prefix?: string
  queue?: QueueName
  /** Bodies are sealed with them. */
  keys?: EnvelopeKeys
}

/** Observes nothing: for producers and consumers of a test that looks elsewhere. */
export const UNOBSERVED = {
  redisLost: () => {},
  redisBack: () => {},
  workerFailed: () => {},
  stuck: () => {},
  blocked: () => {},
  breakerChanged: () => {},
  retrying: () => {},
  deadLettered: () => {},
} satisfies ConsumerOptions['observer']

/** A queue of its own on the Redis of this run. Disposing stops its workers and removes its keys. */
export async function openTestQueue({ keys, ...place }: TestQueueOptions = {}): Promise<TestQueue> {
  const target = parseRedisUrl(inject('redisUrl'))
  const own = partition(place.prefix ?? `{test-${randomBytes(6).toString('hex')}}`, place.queue)
  const redis = new Redis(inject('redisUrl'))
  const producer = openProducer(target, [own], UNOBSERVED, keys)
  const deadLetters = await openDeadLetters(target, [own], keys)
  const consumers: Consumer[] = []
  await until(() => producer.inspect().then(() => true))
  return {
    partition: own,
    producer,
    deadLetters,
    redis,
    work(options = {}) {
      const seen: Seen = { handled: [], retried: [], blocked: [], dead: [] }
      const handle = options.handle ?? (async (batch) => batch.map(() => done))
      const consumer = consume({
        target,
        partitions: [own],
        probe: async () => {},
        keys,
        observer: {
          ...UNOBSERVED,
          blocked: ({ envelope }) => void seen.blocked.push(envelope.eventId),
          retrying: ({ envelope }) => void seen.retried.push(envelope.eventId),
          deadLettered: ({ envelope }, failure) => void seen.dead.push({ id: envelope.eventId, failure }),
        },
        ...options,
        handle: (batch) => {
          seen.handled.push(batch.map(({ envelope }) => envelope.eventId))
          return handle(batch)
        },
      })
      consumers.push(consumer)
      return Object.assign(consumer, { seen })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(consumers.map((consumer) => consumer[Symbol.asyncDispose]()))
      producer[Symbol.dispose]()
      deadLetters[Symbol.dispose]()
      const keys = await redis.keys(`${own.prefix}*`)
      if (keys.length > 0) await redis.del(...keys)
      redis.disconnect()
    },
  }
}

/** Events as ever, with this delay before every further try. */
export const retryingAfter = (delayMs: number): ConsumerProfile => ({
  ...EVENT_CONSUMER_PROFILE,
  retries: EVENT_CONSUMER_PROFILE.retries.map((retry) => ({ ...retry, delayMs })),
})

export const done: Disposition = { kind: 'done' }

export function envelope(eventId: string, changes: Partial<Envelope> = {}): Envelope {
  const body = JSON.stringify({ type: 'user.created', data: { id: 'user_1' } })
  const read = { type: 'user.created', objectId: 'user_1', instanceId: null, source: 'clerk' as const }
  return { eventId, ...read, receivedAtMs: 1_700_000_000_000, body, ...changes }
}
