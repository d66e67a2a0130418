import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Failure } from '@clerk-mirror/events'
import { Queue, Worker } from 'bullmq'
import { expect, inject, test } from 'vitest'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

/*
 * Our scripts write BullMQ's layout by hand. These tests hold them against a stock Queue and a stock Worker, and
 * against the very scripts that they were modelled on.
 */
const BACKOFF = { attempts: 8, backoff: { type: 'clerk' } }

const stock = (queue: TestQueue) =>
  new Queue('clerk-events', { connection: { url: inject('redisUrl') }, prefix: queue.partition.prefix })

async function keysOf({ redis, partition }: TestQueue) {
  const own = (await redis.keys(`${partition.prefix}:*`)).filter((key) => !/probe|:meta$/.test(key)).sort()
  const dumps = own.map(async (key) => {
    const type = await redis.type(key)
    if (type === 'hash') return [key, await redis.hgetall(key)]
    if (type === 'list') return [key, await redis.lrange(key, 0, -1)]
    if (type === 'zset') return [key, await redis.zrange(key, '0', '-1', 'WITHSCORES')]
    if (type === 'stream') return [key, (await redis.xrange(key, '-', '+')).map(([, fields]) => fields)]
    return [key, await redis.get(key)]
  })
  return Object.fromEntries(await Promise.all(dumps))
}

const withoutPrefix = (queue: TestQueue, dump: object) =>
  JSON.parse(JSON.stringify(dump).replaceAll(queue.partition.prefix, 'PREFIX'))

test('an accepted event lies in Redis, key by key, as a stock Queue would have put it', async () => {
  await using ours = await openTestQueue()
  await using theirs = await openTestQueue()
  const { eventId, type, objectId, instanceId, source, body, receivedAtMs } = envelope('msg_a')
  const data = { objectId, instanceId, source, body }
  const queue = stock(theirs)
  for (let deliveries = 0; deliveries < 2; deliveries += 1) {
    await ours.producer.enqueue(envelope('msg_a'))
    await queue.add(type, data, { jobId: eventId, timestamp: receivedAtMs, ...BACKOFF })
  }
  const expected = withoutPrefix(theirs, await keysOf(theirs))
  await queue.close()
  const found = withoutPrefix(ours, await keysOf(ours))
  // The order of an object's members is no part of the layout.
  for (const dump of [expected, found]) {
    const job = dump['PREFIX:clerk-events:msg_a']
    job.opts = JSON.parse(job.opts)
  }
  // It repeats id and time among the options; its workers read them from the job itself.
  const { jobId: _, timestamp: __, ...options } = expected['PREFIX:clerk-events:msg_a'].opts
  expected['PREFIX:clerk-events:msg_a'].opts = options
  // BullMQ counts a duplicate too; nothing reads that counter for jobs that bring their own id.
  expected['PREFIX:clerk-events:id'] = '1'
  // The one field that is ours alone; a stock Queue and Worker leave it where it is.
  const { queuedAt, ...job } = found['PREFIX:clerk-events:msg_a']
  expect(Math.abs(Date.now() - Number(queuedAt))).toBeLessThan(60_000)
  found['PREFIX:clerk-events:msg_a'] = job
  expect(found).toEqual(expected)
})

test('a stock Worker takes an accepted event, and a stock Queue sees and replays its dead letter', async () => {
  await using queue = await openTestQueue()
  await queue.producer.enqueue(envelope('msg_a'))
  const options = { connection: { url: inject('redisUrl') }, prefix: queue.partition.prefix }
  const taken: unknown[] = []
  const worker = new Worker(
    'clerk-events',
    async (job) => void taken.push([job.id, job.name, job.data.objectId]),
    options,
  )
  await until(() => taken.length === 1)
  expect(taken).toEqual([['msg_a', 'user.created', 'user_1']])
  await worker.close()
})

test('two queues of one prefix keep their events, dead letters and workers apart', async () => {
  await using events = await openTestQueue()
  await using reactions = await openTestQueue({ prefix: events.partition.prefix, queue: 'clerk-reactions' })
  const poison = new Failure('poison', 'malformed', 'data is not an object')
  const worker = reactions.work({ handle: async (batch) => batch.map(() => ({ kind: 'failed', failure: poison })) })
  for (const queue of [events, reactions]) await queue.producer.enqueue(envelope('msg_a'))
  await until(async () => (await reactions.deadLetters.find('msg_a')) !== null)
  expect(worker.seen.dead.map(({ id }) => id)).toEqual(['msg_a'])
  expect(await events.deadLetters.find('msg_a')).toBeNull()
  expect(await events.redis.lrange(events.partition.key('wait'), 0, -1)).toEqual(['msg_a'])
  expect(await reactions.deadLetters.replay('msg_a')).toBe(true)
})

test.each([
  ['addStandardJob', '2eee45c9'],
  ['reprocessJob', '4ea10933'],
  ['promote', '06c562bf'],
  ['moveToFinished', '8e744ec5'],
  ['moveToActive', '7d35069d'],
])('the script %s that ours follow is the one that they were modelled on', (name, expected) => {
  const scripts = createRequire(import.meta.url)('bullmq/dist/cjs/scripts') as Record<string, { content: string }>
  const hash = createHash('sha256')
    .update(scripts[name]?.content ?? '')
    .digest('hex')
    .slice(0, 8)
  expect(
    hash,
    `BullMQ changed ${name}: compare scripts.ts and together-scripts.ts with it, then note its new hash here`,
  ).toBe(expected)
})
