import { Failure } from '@clerk-mirror/events'
import type { Delivery, Disposition } from '@clerk-mirror/queue/consume'
import { expect, test } from 'vitest'
import { done, envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

/*
 * No fault of the database, however it looks and however long it lasts, is charged to an event, and no event keeps the
 * others from their work.
 */
const outage = (code = 'mysql_1054') => new Failure('outage', code, 'a column is missing')
const blocked = (code = 'mysql_1062'): Disposition => ({
  kind: 'failed',
  failure: new Failure('blocked', code, 'a constraint of the application stops this event'),
})
const ids = (count: number, name = 'msg_') => Array.from({ length: count }, (_, index) => `${name}${index}`)
const acceptAll = (queue: TestQueue, events: string[]) =>
  Promise.all(events.map((id) => queue.producer.enqueue(envelope(id))))
const isDrained = async ({ redis, partition: { key } }: TestQueue) => {
  const lengths = await redis.multi().llen(key('wait')).llen(key('active')).exec()
  return lengths?.every(([, length]) => length === 0) ?? false
}
const jobField = ({ redis, partition }: TestQueue, id: string, field: string) => redis.hget(partition.key(id), field)
const idsOf = (batch: readonly Delivery[]) => batch.map(({ envelope: { eventId } }) => eventId)
/** As if they had been started by a worker that died. */
const suspect = ({ redis, partition }: TestQueue, events: string[]) =>
  Promise.all(events.map((id) => redis.hset(partition.key(id), 'ats', 1)))
/** Makes a blocked event due, as if half a minute had passed. */
async function makeDue({ redis, partition: { key } }: TestQueue, id: string): Promise<void> {
  await until(async () => (await redis.zscore(key('delayed'), id)) !== null)
  await redis.multi().zadd(key('delayed'), 0, id).zadd(key('marker'), 0, '0').exec()
}
const inARow = (runs: readonly string[][]) => runs.filter((run, index) => index > 0 && run[0] === runs[index - 1]?.[0])

test('a suspect that is run in an outage, again and again, is not blamed for it', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ids(3))
  await suspect(queue, ids(3))
  let runs = 0
  // The canary passes: it does not know the column that is missing.
  const worker = queue.work({
    random: () => 0,
    handle: async (batch) => {
      runs += 1
      if (runs <= 9) throw outage()
      return batch.map(() => done)
    },
  })
  await until(() => runs === 9 && worker.breaker().kind === 'open')
  for (const id of ids(3)) expect(await jobField(queue, id, 'struckBy')).toBeNull()
  await until(() => isDrained(queue))
  expect(worker.seen).toMatchObject({ dead: [], retried: [] })
  expect(new Set(worker.seen.handled.slice(9).flat())).toEqual(new Set(ids(3)))
  expect(inARow(worker.seen.handled.slice(0, 9)), 'the same event, twice in a row').toEqual([])
})

test('workers that are alive count for nothing, however many of them ran an event alone; dead ones do', async () => {
  await using queue = await openTestQueue()
  const { redis, partition } = queue
  const workers = ids(5, 'worker-')
  const say = async (saidAtMs: number) => {
    for (const id of workers) await redis.hset(partition.key('clerk-mirror:workers'), id, `${saidAtMs} {}`)
  }
  await say(Date.now() + 3_600_000)
  await acceptAll(queue, ['msg_lives', 'msg_kills'])
  await redis.hset(partition.key('msg_lives'), 'ats', 5, 'struckBy', workers.join(' '))
  await redis.hset(partition.key('msg_kills'), 'ats', 5, 'struckBy', ids(5, 'dead-').join(' '))
  const worker = queue.work()
  await until(() => isDrained(queue), 150_000)
  expect(worker.seen.handled).toEqual([['msg_lives']])
  expect(worker.seen.dead).toMatchObject([{ id: 'msg_kills', failure: { class: 'killer' } }])
})

test('an event that crashed a worker is not run while the database is away', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  await queue.redis.hset(queue.partition.key('msg_a'), 'ats', 1, 'struckBy', 'dead')
  let [probes, isDown] = [0, true]
  const worker = queue.work({
    probe: async () => {
      probes += 1
      // It works when the worker starts.
      if (isDown && probes > 1) throw outage()
    },
  })
  await until(() => worker.breaker().kind === 'open' && probes > 3, 150_000)
  expect(worker.seen.handled).toEqual([])
  expect(await jobField(queue, 'msg_a', 'struckBy')).toBe('dead')
  isDown = false
  await until(() => isDrained(queue), 150_000)
  expect(worker.seen).toMatchObject({ handled: [['msg_a']], dead: [] })
})

test('one event that fails as an outage by itself waits alone, and the others are done', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, [...ids(50), 'msg_odd', ...ids(50, 'msg_more')])
  const worker = queue.work({
    random: () => 0,
    handle: async (batch) => {
      if (idsOf(batch).includes('msg_odd')) throw outage('mysql_3101')
      return batch.map(() => done)
    },
  })
  await until(() => worker.seen.blocked.length > 0, 150_000)
  await until(() => isDrained(queue))
  expect(worker.breaker().kind).toBe('closed')
  expect(await queue.redis.zrange(queue.partition.key('delayed'), '0', '-1')).toEqual(['msg_odd'])
  expect(await jobField(queue, 'msg_odd', 'failedReason')).toMatch(/^blocked\/mysql_3101: /)
  expect(await jobField(queue, 'msg_odd', 'atm')).toBeNull()
  expect(await jobField(queue, 'msg_odd', 'ats')).toBe('0')
  expect(worker.seen).toMatchObject({ dead: [], retried: [] })
  // When it is due it is known: nothing waits for it, and the breaker stays closed.
  const runs = worker.seen.handled.length
  await makeDue(queue, 'msg_odd')
  await acceptAll(queue, ids(50))
  await until(() => worker.seen.blocked.length === 2)
  await until(() => isDrained(queue))
  expect(worker.seen.handled.slice(runs).filter((batch) => batch.includes('msg_odd'))).toEqual([['msg_odd']])
})

test('an event that has nobody to compare with uses no attempt either, and the next one shows that all is well', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_odd'])
  let isOdd = true
  const worker = queue.work({
    random: () => 0,
    handle: async (batch) => {
      if (isOdd && idsOf(batch).includes('msg_odd')) throw outage()
      return batch.map(() => done)
    },
  })
  await until(() => worker.seen.blocked.length === 1)
  expect(worker.seen.handled).toEqual([['msg_odd'], ['msg_odd']])
  await acceptAll(queue, ['msg_b'])
  await until(() => isDrained(queue))
  expect(await jobField(queue, 'msg_odd', 'atm')).toBeNull()
  isOdd = false
  await makeDue(queue, 'msg_odd')
  await until(async () => (await queue.redis.exists(queue.partition.key('msg_odd'))) === 0)
  expect(worker.seen).toMatchObject({ dead: [], retried: [] })
})

test('a blocked event is tried more often than any other, uses no attempt, and is no suspect', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a', 'msg_blocked', 'msg_b'])
  const tries: Delivery[] = []
  const handle = async (batch: readonly Delivery[]) =>
    batch.map((delivery) => {
      if (delivery.envelope.eventId !== 'msg_blocked') return done
      tries.push(delivery)
      return tries.length <= 10 ? blocked() : done
    })
  const worker = queue.work({ handle })
  for (let count = 1; count <= 10; count += 1) {
    await until(() => worker.seen.blocked.length === count)
    await makeDue(queue, 'msg_blocked')
  }
  await until(() => tries.length === 11)
  await until(async () => (await queue.redis.exists(queue.partition.key('msg_blocked'))) === 0)
  expect(tries.map(({ attempt }) => attempt)).toEqual(Array(11).fill(1))
  expect(tries.filter(({ isStalled }) => isStalled)).toEqual([])
  expect(tries[1]?.blockedBy).toMatchObject({ class: 'blocked', code: 'mysql_1062' })
  expect(worker.seen).toMatchObject({ dead: [], retried: [] })
})

test('a blocked event is tried every half minute, and by then tells its cause in its job', async () => {
  await using queue = await openTestQueue()
  await acceptAll(queue, ['msg_a'])
  const sinceMs = Date.now()
  queue.work({ handle: async (batch) => batch.map(() => blocked('mysql_1451')) })
  const due = () => queue.redis.zscore(queue.partition.key('delayed'), 'msg_a')
  await until(async () => (await due()) !== null)
  const dueMs = Number(await due()) / 0x1000
  expect(dueMs).toBeGreaterThanOrEqual(sinceMs + 30_000)
  expect(dueMs).toBeLessThan(Date.now() + 31_000)
  expect(await jobField(queue, 'msg_a', 'failedReason')).toMatch(/^blocked\/mysql_1451: a constraint/)
  expect(Number(await jobField(queue, 'msg_a', 'queuedAt')), 'as the gauge of the oldest event has it').toBeGreaterThan(
    sinceMs + 29_000,
  )
})

test('blocked events that wait for a lock keep no other event waiting', async () => {
  await using queue = await openTestQueue()
  const locked = ids(3, 'msg_locked')
  await acceptAll(queue, locked)
  const gate = latch()
  let isFirst = true
  const worker = queue.work({
    handle: async (batch) => {
      if (!locked.some((id) => idsOf(batch).includes(id))) return batch.map(() => done)
      if (!isFirst) await gate.opened
      return batch.map(() => (isFirst ? blocked('mysql_1205') : done))
    },
  })
  await until(() => worker.seen.blocked.length === 3)
  isFirst = false
  for (const id of locked) await makeDue(queue, id)
  await until(() => worker.inFlight() === 3)
  await acceptAll(queue, ids(300))
  await until(async () => (await queue.redis.llen(queue.partition.key('active'))) === 3)
  expect(new Set(worker.seen.handled.flat()).size).toBe(303)
  // A worker that is to stop waits for none but the one that runs.
  const stopped = worker[Symbol.asyncDispose]()
  await until(async () => (await queue.redis.llen(queue.partition.key('wait'))) === 2)
  gate.open()
  await stopped
  queue.work()
  await until(() => isDrained(queue))
})
