import { Failure } from '@clerk-mirror/events'
import { expect, test } from 'vitest'
import { done, envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

/* A worker that was too slow to renew a lease is alive: nothing that it did may look like a death. */
const isDrained = async ({ redis, partition: { key } }: TestQueue) => {
  const lengths = await redis.multi().llen(key('wait')).llen(key('active')).exec()
  return lengths?.every(([, length]) => length === 0) ?? false
}
const ids = ['msg_0', 'msg_1', 'msg_2']
const acceptAll = (queue: TestQueue) => Promise.all(ids.map((id) => queue.producer.enqueue(envelope(id))))
/** Waits until the worker renews its lease, for it has begun to work on it. */
async function begun({ redis, partition: { key } }: TestQueue, id: string): Promise<void> {
  await redis.del(key(`${id}:lock`))
  await until(async () => (await redis.exists(key(`${id}:lock`))) === 1)
}
/** Another worker's steps with an event after its lease ran out. */
const putBack = ({ redis, partition: { key } }: TestQueue, id: string) =>
  redis
    .multi()
    .del(key(`${id}:lock`))
    .lrem(key('active'), 1, id)
    .rpush(key('wait'), id)
    .zadd(key('marker'), 0, '0')
    .exec()

test('a lease that ran out and that nobody missed is taken again', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  await acceptAll(queue)
  const gate = latch()
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 3)
  const tokens = await redis.mget(ids.map((id) => partition.key(`${id}:lock`)))
  await redis.del(...ids.map((id) => partition.key(`${id}:lock`)))
  await until(async () => (await redis.exists(...ids.map((id) => partition.key(`${id}:lock`)))) === 3)
  expect(await redis.mget(ids.map((id) => partition.key(`${id}:lock`)))).toEqual(tokens)
  gate.open()
  await until(() => isDrained(queue))
  expect(worker.seen.handled).toEqual([ids])
})

test('an event whose lease ran out is finished all the same, also when it was put back and nobody has it yet', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  await acceptAll(queue)
  const gate = latch()
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 3)
  // So that it does not take it again itself.
  await redis.hset(partition.key('meta'), 'paused', 1)
  await putBack(queue, 'msg_0')
  await redis.del(partition.key('msg_1:lock'))
  gate.open()
  await until(() => isDrained(queue))
  expect(await redis.keys(partition.key('msg_*'))).toEqual([])
})

test('a process that is given an event which it is working on does not run it twice', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue)
  const gate = latch()
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 3)
  for (let times = 1; times <= 3; times += 1) {
    await putBack(queue, 'msg_1')
    // It has taken it once more.
    const starts = () => queue.redis.hget(queue.partition.key('msg_1'), 'ats')
    await until(async () => (await starts()) === String(times + 1))
  }
  await begun(queue, 'msg_1')
  gate.open()
  await until(() => isDrained(queue))
  expect(worker.seen.handled).toEqual([ids])
  expect(worker.seen.dead).toEqual([])
})

test('a try that fails after its event was given twice counts once, and leaves no suspicion', async () => {
  await using queue = await openTestQueue()
  await queue.producer.enqueue(envelope('msg_a'))
  const gate = latch()
  const failed = { kind: 'failed' as const, failure: new Failure('unknown', 'mysql_9999', 'odd') }
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => failed)) })
  await until(() => worker.inFlight() === 1)
  await putBack(queue, 'msg_a')
  const field = (name: string) => queue.redis.hget(queue.partition.key('msg_a'), name)
  await until(async () => (await field('ats')) === '2')
  await begun(queue, 'msg_a')
  gate.open()
  await until(async () => (await field('atm')) === '1')
  expect(await field('ats')).toBe('1')
  expect(worker.seen.retried).toEqual(['msg_a'])
})

test('a worker that lost a lease gives back nothing of the worker that has the event now', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  await acceptAll(queue)
  let isDown = false
  const worker = queue.work({
    probe: async () => {
      if (isDown) throw new Failure('outage', 'mysql_1290', 'the database is read-only')
    },
    handle: async () => {
      isDown = true
      throw new Failure('outage', 'mysql_1290', 'the database is read-only')
    },
  })
  await until(() => worker.breaker().kind === 'open' && worker.inFlight() === 3)
  // Another worker has started it since.
  await redis.hset(partition.key('msg_1'), 'ats', 2)
  await redis.set(partition.key('msg_1:lock'), 'of another', 'PX', 60_000)
  await worker[Symbol.asyncDispose]()
  expect(await redis.hget(partition.key('msg_1'), 'ats')).toBe('2')
  expect(await redis.lrange(partition.key('active'), 0, -1)).toEqual(['msg_1'])
  expect((await redis.lrange(partition.key('wait'), 0, -1)).sort()).toEqual(['msg_0', 'msg_2'])
  expect(await redis.hget(partition.key('msg_0'), 'ats')).toBe('0')
})
