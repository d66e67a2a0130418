import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import type { Delivery, Disposition } from '@clerk-mirror/queue/consume'
import { Queue, Worker } from 'bullmq'
import { expect, inject, test } from 'vitest'
import { BatchedBackend } from '../../../packages/queue/src/consume/batched-backend.js'
import { withLeaseScripts } from '../../../packages/queue/src/lua/lease-scripts.js'
import { done, envelope, openTestQueue, retryingAfter, type TestQueue } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

/*
 * Events go to Redis and are finished there many at a time, by scripts of ours. These tests hold to it that each of them
 * fares as it would alone.
 */
const ids = (count: number, name = 'msg_') => Array.from({ length: count }, (_, index) => `${name}${index}`)
const acceptAll = (queue: TestQueue, events: string[]) =>
  Promise.all(events.map((id) => queue.producer.enqueue(envelope(id))))
const isDrained = async ({ redis, partition: { key } }: TestQueue) =>
  (await redis.llen(key('wait'))) === 0 && (await redis.llen(key('active'))) === 0
/** Long enough for the test to add events before those that wait are all taken. */
const WORK_MS = 100
const poisoned: Disposition = { kind: 'failed', failure: new Failure('poison', 'malformed', 'data.id') }
const connection = () => ({ url: inject('redisUrl') })

test('of events that arrive together the new ones are added, the dead one is revived, and no one is stored twice', async () => {
  await using queue = await openTestQueue()
  const killer = queue.work({ handle: async (batch) => batch.map(() => poisoned) })
  await acceptAll(queue, ['msg_dead'])
  await until(async () => (await queue.deadLetters.find('msg_dead')) !== null)
  await killer[Symbol.asyncDispose]()
  const answers = await acceptAll(queue, ['msg_a', 'msg_dead', 'msg_b', 'msg_a', 'msg_dead', ...ids(250)])
  expect(answers.slice(0, 5)).toEqual(
    ['added', 'revived', 'added', 'duplicate', 'duplicate'].map((how) => ({ kind: 'accepted', how })),
  )
  const waiting = await queue.redis.lrange(queue.partition.key('wait'), 0, -1)
  expect(waiting.sort()).toEqual(['msg_a', 'msg_b', 'msg_dead', ...ids(250)].sort())
})

test('finished events leave in Redis what a stock Worker leaves of them', async () => {
  await using ours = await openTestQueue()
  await using theirs = await openTestQueue()
  for (const queue of [ours, theirs]) await acceptAll(queue, ids(5))
  ours.work()
  const { prefix } = theirs.partition
  const removeOnComplete = { count: 0 }
  const worker = new Worker('clerk-events', async () => {}, { connection: connection(), prefix, removeOnComplete })
  const left = async ({ redis, partition }: TestQueue) => {
    const keys = await redis.keys(`${partition.prefix}:clerk-events:*`)
    const events = await redis.xrange(partition.key('events'), '-', '+')
    return {
      keys: keys.map((key) => key.slice(partition.prefix.length)).filter((key) => !/probe|workers|marker/.test(key)),
      events: events.map(([, fields]) => fields.join(' ')),
    }
  }
  const isOver = async (queue: TestQueue) => (await left(queue)).events.at(-1) === 'event drained'
  await until(() => isOver(ours))
  await until(() => isOver(theirs))
  await worker.close()
  const [found, expected] = [await left(ours), await left(theirs)]
  expect(found.keys.sort()).toEqual(expected.keys.sort())
  expect(found.events.sort()).toEqual(expected.events.sort())
})

test('a retry that is due has its turn while the queue is busy', async () => {
  await using queue = await openTestQueue()
  const order: string[] = []
  const failsOnce = ({ envelope: { eventId }, attempt }: Delivery): Disposition => {
    order.push(eventId)
    const failure = new Failure('unknown', 'mysql_9999', 'odd')
    return eventId === 'msg_fails' && attempt === 1 ? { kind: 'failed', failure } : done
  }
  const work = async (batch: readonly Delivery[]) => {
    const dispositions = batch.map(failsOnce)
    await pause(WORK_MS)
    return dispositions
  }
  await acceptAll(queue, ['msg_fails', ...ids(500)])
  queue.work({ handle: work, profile: retryingAfter(1) })
  // While others wait, a worker never looks for events in any other way than when it finishes some.
  const { redis, partition } = queue
  for (let more = 0; !order.slice(1).includes('msg_fails'); more += 1) {
    if (more > 15) throw new Error('the retry never had its turn')
    await acceptAll(queue, ids(150, `msg_more${more}x`))
    await until(async () => (await redis.llen(partition.key('wait'))) < 400)
  }
})

test('a worker in the middle of its work takes no more events of a queue that is paused, and goes on afterwards', async () => {
  await using queue = await openTestQueue()
  const stock = new Queue('clerk-events', { connection: connection(), prefix: queue.partition.prefix })
  await acceptAll(queue, ids(400))
  const gate = latch()
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 256)
  await stock.pause()
  gate.open()
  await until(() => worker.inFlight() === 0)
  expect(await queue.redis.llen(queue.partition.key('wait'))).toBe(400 - 256)
  await stock.resume()
  await until(() => isDrained(queue))
  expect(new Set(worker.seen.handled.flat()).size).toBe(400)
  await stock.close()
})

test('an event that another worker has taken over is not finished by the one that lost it, and its neighbours are', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  const gate = latch()
  await acceptAll(queue, ids(3))
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 3)
  await redis.set(partition.key('msg_1:lock'), 'of another', 'PX', 60_000)
  gate.open()
  await until(async () => (await redis.exists(partition.key('msg_0'), partition.key('msg_2'))) === 0)
  expect(await redis.exists(partition.key('msg_1'))).toBe(1)
  expect(await redis.lrange(partition.key('active'), 0, -1)).toEqual(['msg_1'])
})

test('a worker prefetches with its first event those that it will request next, and events that it does not request are released', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  await acceptAll(queue, ids(4))
  const batching = {
    ...{ partition, client: withLeaseScripts(redis) },
    ...{ inFlight: () => 256, leaseMs: () => 6_000, onLost: () => {} },
  }
  const options = { connection: redis, prefix: partition.prefix, lockDuration: 6_000 }
  const backend = new BatchedBackend(batching, partition.queue, options)
  const take = async (token: string) => (await backend.moveToActive(token))[1]
  const taken = [await take('worker:7')]
  expect(await redis.llen(partition.key('active'))).toBe(4)
  taken.push(await take('worker:8'))
  expect(await Promise.all(taken.map((id) => redis.get(partition.key(`${id}:lock`))))).toEqual(['worker:7', 'worker:8'])
  await until(async () => (await redis.llen(partition.key('wait'))) === 2)
  const released = await redis.lrange(partition.key('wait'), 0, -1)
  expect([...taken, ...released].sort()).toEqual(ids(4))
  for (const id of released) {
    expect(await redis.hget(partition.key(id), 'ats'), 'it will not count as stalled').toBe('0')
    expect(await redis.exists(partition.key(`${id}:lock`))).toBe(0)
  }
  // The next one that it requests is there for it.
  expect(released).toContain(await take('worker:11'))
  await backend.close()
})
