import { Failure } from '@clerk-mirror/events'
import type { BreakerState, Delivery, Disposition } from '@clerk-mirror/queue/consume'
import { Worker } from 'bullmq'
import { expect, inject, test } from 'vitest'
import { done, envelope, openTestQueue, retryingAfter, type TestQueue, UNOBSERVED } from '../../support/queue/queue.js'
import { collect, latch, until } from '../../support/until.js'

const HOUR_MS = 3_600_000
const outage = () => new Failure('outage', 'mysql_1290', 'the database is read-only')
const failed = (failure: Failure): Disposition => ({ kind: 'failed', failure })
const ids = (count: number) => Array.from({ length: count }, (_, index) => `msg_${index}`)
const acceptAll = (queue: TestQueue, events: string[]) =>
  Promise.all(events.map((id) => queue.producer.enqueue(envelope(id))))
/** Both at one moment: between two questions an event may move from the one to the other. */
const isDrained = async ({ redis, partition: { key } }: TestQueue) => {
  const lengths = await redis.multi().llen(key('wait')).llen(key('active')).exec()
  return lengths?.every(([, length]) => length === 0) ?? false
}
const jobField = ({ redis, partition }: TestQueue, id: string, field: string) => redis.hget(partition.key(id), field)

test('events that wait are worked on in batches, and nothing of them is left', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(300))
  const worker = queue.work()
  await until(() => isDrained(queue))
  expect(new Set(worker.seen.handled.flat()).size).toBe(300)
  expect(worker.seen.handled.length).toBeLessThan(100)
  expect(await queue.redis.keys(`${queue.partition.prefix}:clerk-events:msg_*`)).toEqual([])
})

test('a worker has 256 events in hand at most, 128 in a batch, and 4 MiB of bodies in one', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(500))
  const large = Array.from({ length: 60 }, (_, index) => `msg_large${index}`)
  const body = 'x'.repeat(120_000)
  for (const id of large) await queue.producer.enqueue(envelope(id, { body }))
  const [gate, largeGate] = [latch(), latch()]
  const bytes: number[] = []
  const handle = async (batch: readonly Delivery[]) => {
    bytes.push(batch.reduce((sum, delivery) => sum + delivery.envelope.body.length, 0))
    await (batch.some(({ envelope }) => envelope.body === body) ? largeGate : gate).opened
    return batch.map(() => done)
  }
  const worker = queue.work({ handle })
  expect(worker.isSaturated(), 'before it has taken anything').toBe(false)
  await until(() => worker.inFlight() === 256)
  expect(worker.isSaturated()).toBe(true)
  // It has asked for as many as it may have: the rest waits, for this worker or another.
  expect(await queue.redis.llen(queue.partition.key('wait'))).toBe(304)
  gate.open()
  const waiting = () => queue.redis.llen(queue.partition.key('wait'))
  await until(async () => (await waiting()) === 0 && worker.inFlight() >= large.length)
  largeGate.open()
  await until(() => isDrained(queue))
  await until(() => !worker.isSaturated())
  expect(Math.max(...worker.seen.handled.map((batch) => batch.length))).toBe(128)
  expect(Math.max(...bytes)).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(Math.max(...bytes), 'as many as fit').toBeGreaterThan(2 * 1024 * 1024)
})

test('one poisoned event of a batch becomes a dead letter at once, and the others are done', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(20))
  const judge = ({ envelope: { eventId } }: Delivery) =>
    eventId === 'msg_7' ? failed(new Failure('poison', 'malformed', 'data.id')) : done
  const worker = queue.work({ handle: async (batch) => batch.map(judge) })
  await until(() => isDrained(queue))
  expect(worker.seen.dead).toMatchObject([{ id: 'msg_7', failure: { class: 'poison', code: 'malformed' } }])
  expect(await queue.redis.zrange(queue.partition.key('failed'), '0', '-1')).toEqual(['msg_7'])
})

test('a failure of unknown cause is tried again later, with its reason on record', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  const attempts: number[] = []
  const handle = async ([delivery]: readonly Delivery[]) => {
    attempts.push(delivery?.attempt ?? 0)
    return [attempts.length < 3 ? failed(new Failure('unknown', 'mysql_9999', 'odd')) : done]
  }
  const worker = queue.work({ handle, profile: retryingAfter(10) })
  await until(() => attempts.length === 3)
  await until(() => isDrained(queue))
  expect(attempts).toEqual([1, 2, 3])
  expect(worker.seen).toMatchObject({ retried: ['msg_a', 'msg_a'], dead: [] })
})

test('the eighth try is the last', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  await queue.redis.hset(queue.partition.key('msg_a'), 'atm', 7, 'ats', 7)
  const worker = queue.work({ handle: async () => [failed(new Failure('unknown', 'mysql_9999', 'odd'))] })
  await until(() => worker.seen.dead.length === 1)
  await until(async () => (await queue.deadLetters.find('msg_a'))?.attempts === 8)
})

test('a handler that throws, or says nothing of an event, costs that event a try and no more', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  let calls = 0
  const worker = queue.work({
    profile: retryingAfter(10),
    handle: async () => {
      calls += 1
      if (calls === 1) throw new TypeError('a bug')
      return calls === 2 ? [] : [done]
    },
  })
  await until(() => calls === 3)
  await until(() => isDrained(queue))
  expect(worker.seen.retried).toEqual(['msg_a', 'msg_a'])
})

test('in an outage the worker holds its events, uses no attempt, and goes on by itself when it is over', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(200))
  const states: BreakerState['kind'][] = []
  let isDown = false
  const attempts = new Set<number>()
  const worker = queue.work({
    probe: async () => {
      if (isDown) throw outage()
    },
    handle: async (batch) => {
      isDown ||= worker.seen.handled.length === 1
      if (isDown) throw outage()
      for (const { attempt } of batch) attempts.add(attempt)
      return batch.map(() => done)
    },
    observer: {
      ...UNOBSERVED,
      breakerChanged: ({ kind }) => void states.push(kind),
    },
  })
  await until(() => worker.breaker().kind === 'open')
  // Longer than a lease: held events stay ours.
  await new Promise((resolve) => setTimeout(resolve, 7000))
  expect(await jobField(queue, 'msg_0', 'ats')).toBe('1')
  expect(await jobField(queue, 'msg_0', 'stc')).toBeNull()
  isDown = false
  await until(() => isDrained(queue))
  expect([...attempts]).toEqual([1])
  expect(states.slice(-2)).toEqual(['half-open', 'closed'])
  const afterOutage = worker.seen.handled.find((_, index) => index > 0 && worker.seen.handled[index]?.length === 1)
  expect(afterOutage).toHaveLength(1)
})

test('a worker that starts in an outage takes nothing, for others may be able to work', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(5))
  let probes = 0
  const probe = async () => {
    probes += 1
    if (probes < 5) throw outage()
  }
  const worker = queue.work({ probe })
  await until(() => worker.breaker().kind === 'open')
  expect(await queue.redis.llen(queue.partition.key('wait'))).toBe(5)
  await until(() => isDrained(queue))
  expect(probes).toBe(5)
  expect(worker.seen.handled).toEqual([ids(5)])
})

test('a worker that is stopped in an outage hands its events back untried', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(5))
  let isDown = false
  const probe = async () => {
    if (isDown) throw outage()
  }
  const handle = async () => {
    isDown = true
    throw outage()
  }
  const worker = queue.work({ probe, handle })
  await until(
    async () => worker.breaker().kind === 'open' && (await queue.redis.llen(queue.partition.key('active'))) === 5,
  )
  await worker[Symbol.asyncDispose]()
  expect((await queue.redis.lrange(queue.partition.key('wait'), 0, -1)).sort()).toEqual(ids(5))
  expect(await jobField(queue, 'msg_0', 'ats')).toBe('0')
  expect(await jobField(queue, 'msg_0', 'atm')).toBeNull()
})

test('a worker that is stopped finishes what it has in hand', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(3))
  const gate = latch()
  const worker = queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.seen.handled.length > 0)
  const stopped = worker[Symbol.asyncDispose]()
  gate.open()
  await stopped
  expect(await isDrained(queue)).toBe(true)
})

test('the events of a worker that died are with another within 15 seconds, and alone there', async () => {
  await using queue = await openTestQueue()
  const { prefix } = queue.partition
  const connection = { url: inject('redisUrl') }
  const taken = latch()
  const hang = () => {
    taken.open()
    return new Promise(() => {})
  }
  const lost = new Worker('clerk-events', hang, {
    connection,
    prefix,
    concurrency: 3,
    lockDuration: 6000,
    stalledInterval: 3000,
  })
  lost.on('error', () => {})
  await acceptAll(queue, ids(3))
  await taken.opened
  await until(async () => (await queue.redis.llen(queue.partition.key('active'))) === 3)
  await lost.close(true)
  const sinceMs = Date.now()
  const worker = queue.work()
  await until(() => isDrained(queue), 150_000)
  const tookMs = Date.now() - sinceMs
  expect(worker.seen.handled.map((batch) => batch.length)).toEqual([1, 1, 1])
  expect(worker.seen.dead).toEqual([])
  expect(tookMs, 'promised: 15 s; asserted with tenfold slack').toBeLessThan(150_000)
})

test('a suspect that dies alone five times is a dead letter of class killer, and its neighbours are done', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(10))
  const { key } = queue.partition
  // As five workers left it that started it alone and never finished, and one that had msg_4 beside it.
  await queue.redis.hset(key('msg_3'), 'ats', 6, 'struckBy', 'one two three four five')
  await queue.redis.hset(key('msg_4'), 'ats', 1)
  const worker = queue.work()
  await until(() => isDrained(queue))
  expect(worker.seen.dead).toMatchObject([{ id: 'msg_3', failure: { class: 'killer', code: 'worker_killed' } }])
  expect(worker.seen.handled.flat().sort()).toEqual(ids(10).filter((id) => id !== 'msg_3'))
  expect(worker.seen.handled.find((batch) => batch.includes('msg_4'))).toEqual(['msg_4'])
})

test('a finished try clears what a suspect was suspected of', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  await queue.redis.hset(queue.partition.key('msg_a'), 'ats', 3, 'struckBy', 'one two')
  queue.work({
    handle: async () => [failed(new Failure('unknown', 'mysql_9999', 'odd'))],
    profile: retryingAfter(HOUR_MS),
  })
  await until(async () => (await jobField(queue, 'msg_a', 'atm')) === '1')
  expect(await jobField(queue, 'msg_a', 'struckBy')).toBeNull()
  expect(await jobField(queue, 'msg_a', 'ats')).toBe('1')
})

test('a job that holds no envelope is a dead letter and stops nobody', async () => {
  await using queue = await openTestQueue()
  const { key } = queue.partition
  await queue.redis.hset(key('odd'), 'name', 'odd', 'data', '{}', 'opts', '{"attempts":8}', 'timestamp', 1)
  await queue.redis.lpush(key('wait'), 'odd')
  await acceptAll(queue, ['msg_a'])
  const worker = queue.work()
  await until(() => isDrained(queue))
  expect(worker.seen.handled).toEqual([['msg_a']])
  expect(worker.seen.dead).toMatchObject([{ id: 'odd', failure: { class: 'poison' } }])
  await until(async () => (await queue.deadLetters.find('odd')) !== null)
  const listed = await collect(queue.deadLetters.list())
  expect(listed).toMatchObject([{ id: 'odd', type: 'odd', objectId: null, reason: { code: 'unreadable_job' } }])
})
