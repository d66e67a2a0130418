import { Failure } from '@clerk-mirror/events'
import { type Delivery, type Disposition, parseRedisUrl } from '@clerk-mirror/queue/consume'
import { openQueueGauges } from '@clerk-mirror/queue/gauges'
import { expect, inject, test } from 'vitest'
import { openStockQueue } from '../../support/queue/dead-letters.js'
import { done, envelope, openTestQueue, retryingAfter, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

const HOUR_MS = 3_600_000
const odd: Disposition = { kind: 'failed', failure: new Failure('unknown', 'mysql_9999', 'odd') }
const acceptAll = (queue: TestQueue, ids: readonly string[]) =>
  Promise.all(ids.map((id) => queue.producer.enqueue(envelope(id))))
const delayed = ({ redis, partition }: TestQueue) => redis.zcard(partition.key('delayed'))

/** Events that failed once and wait an hour for their next try; the worker handles every further try. */
async function failedOnce(queue: TestQueue, ids: readonly string[]) {
  await acceptAll(queue, ids)
  const attempts: [string, number][] = []
  const judge = ({ envelope: { eventId }, attempt }: Delivery) => {
    attempts.push([eventId, attempt])
    return attempt === 1 ? odd : done
  }
  const worker = queue.work({ profile: retryingAfter(HOUR_MS), handle: async (batch) => batch.map(judge) })
  await until(async () => (await delayed(queue)) === ids.length)
  return { worker, attempts }
}

test('an event that waits for its next try is tried at once, with that try, and no other event is', async () => {
  await using queue = await openTestQueue()
  const { attempts } = await failedOnce(queue, ['msg_a', 'msg_b'])
  expect(await queue.deadLetters.retryNow(['msg_a', 'msg_absent'])).toBe(1)
  await until(() => attempts.length === 3)
  expect(attempts.at(-1)).toEqual(['msg_a', 2])
  await until(async () => (await queue.redis.exists(queue.partition.key('msg_a'))) === 0)
  expect(await delayed(queue)).toBe(1)
  expect(await queue.deadLetters.retryNow(['msg_a'])).toBe(0)
})

test('what waits for its next try is listed with the reason of its last failure, a page at a time', async () => {
  await using queue = await openTestQueue()
  const ids = Array.from({ length: 700 }, (_, index) => `msg_${index}`)
  const { worker } = await failedOnce(queue, ids)
  await worker[Symbol.asyncDispose]()
  const { next, end, among } = queue.deadLetters.retrying
  const pages: string[][] = []
  for (let page = await next(null); page.length > 0; page = await next(page.at(-1)?.cursor ?? null)) {
    pages.push(page.map(({ deadLetter }) => deadLetter.id))
  }
  expect(pages.length).toBeGreaterThan(1)
  expect(pages.flat().toSorted()).toEqual(ids.toSorted())
  expect((await end())?.id).toBe(pages.at(-1)?.at(-1))
  const found = await among(['msg_7', 'msg_absent'])
  expect(found.map(({ deadLetter }) => deadLetter)).toMatchObject([
    { id: 'msg_7', reason: { code: 'mysql_9999' }, attempts: 1 },
  ])
  expect(await queue.deadLetters.next(null)).toEqual([])
})

test('an event that was told to be tried now lies in Redis as BullMQ would have promoted it, and waits since now', async () => {
  await using ours = await openTestQueue()
  await using theirs = await openTestQueue()
  const jobs = await Promise.all(
    [ours, theirs].map(async (queue) => {
      const { worker } = await failedOnce(queue, ['msg_a'])
      await worker[Symbol.asyncDispose]()
      if (queue === ours) await queue.deadLetters.retryNow(['msg_a'])
      else {
        await using stock = openStockQueue(queue)
        await (await stock.getJob('msg_a'))?.promote()
      }
      const { key } = queue.partition
      // The part of its history that differs from one run to the next.
      const { queuedAt, processedOn: _, stacktrace: __, ...job } = await queue.redis.hgetall(key('msg_a'))
      const [last] = await queue.redis.xrevrange(key('events'), '+', '-', 'COUNT', 1)
      const wait = await queue.redis.lrange(key('wait'), 0, -1)
      const marker = await queue.redis.zscore(key('marker'), '0')
      return {
        queuedAt: Number(queuedAt),
        layout: { job, last: last?.[1], wait, marker, delayed: await delayed(queue) },
      }
    }),
  )
  expect(jobs[0]?.layout).toEqual(jobs[1]?.layout)
  expect(Math.abs(Date.now() - (jobs[0]?.queuedAt ?? 0))).toBeLessThan(HOUR_MS / 2)
  await using gauges = openQueueGauges(parseRedisUrl(inject('redisUrl')), [ours.partition])
  await until(async () => (await gauges.read()) !== null)
  const { events, oldestMs } = (await gauges.read()) ?? {}
  expect(events).toMatchObject({ waiting: 1, retrying: 0 })
  expect(oldestMs).toBeLessThan(HOUR_MS / 2)
})

test('a thing that was delayed by something else and is gone is dropped, and stops nothing', async () => {
  await using queue = await openTestQueue()
  await queue.redis.zadd(queue.partition.key('delayed'), Date.now() * 0x1000, 'msg_ghost')
  expect(await queue.deadLetters.retryNow(['msg_ghost'])).toBe(0)
  expect(await delayed(queue)).toBe(0)
  expect(await queue.redis.llen(queue.partition.key('wait'))).toBe(0)
})
