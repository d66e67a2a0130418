import { Failure } from '@clerk-mirror/events'
import { parseRedisUrl, partitions } from '@clerk-mirror/queue/enqueue'
import { exportQueueGauges, openQueueGauges, type QueueGauges } from '@clerk-mirror/queue/gauges'
import { openMetrics } from '@clerk-mirror/runtime'
import { expect, inject, test } from 'vitest'
import { envelope, openTestQueue, retryingAfter, type TestQueue } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

const MINUTE_MS = 60_000
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS

const gaugesOf = ({ partition }: TestQueue) => openQueueGauges(parseRedisUrl(inject('redisUrl')), [partition])
const failing = (failureClass: 'poison' | 'unknown') => async (batch: readonly unknown[]) =>
  batch.map(() => ({ kind: 'failed' as const, failure: new Failure(failureClass, 'a_code', 'a cause') }))

/** A reading that is younger than the call: each serves for a second. */
async function readingOf(gauges: QueueGauges) {
  const before = await gauges.read()
  let reading = before
  await until(async () => {
    reading = await gauges.read()
    return reading !== null && reading !== before
  })
  if (!reading) throw new Error('the right to export was lost')
  return reading
}

/** As if the event had been queued that much earlier. */
const queuedEarlier = ({ redis, partition }: TestQueue, id: string, byMs: number) =>
  redis.hincrby(partition.key(id), 'queuedAt', -byMs)

const isDead = async ({ redis, partition }: TestQueue, id: string) =>
  (await redis.zscore(partition.key('failed'), id)) !== null

test('an empty queue has no oldest event, no dead letters, and every count is 0', async () => {
  await using queue = await openTestQueue()
  await using gauges = gaugesOf(queue)
  const { events, oldestMs, deadByClass } = await readingOf(gauges)
  expect({ events, oldestMs }).toEqual({ events: { waiting: 0, active: 0, retrying: 0, dead: 0 }, oldestMs: 0 })
  expect(deadByClass).toEqual({ outage: 0, contention: 0, blocked: 0, poison: 0, killer: 0, unknown: 0 })
})

test('the oldest event counts whether it waits or runs, from when it was queued and not from when it was received', async () => {
  await using queue = await openTestQueue()
  await using gauges = gaugesOf(queue)
  for (const id of ['msg_a', 'msg_b', 'msg_c']) {
    await queue.producer.enqueue(envelope(id, { receivedAtMs: Date.now() - WEEK_MS }))
  }
  const fresh = await readingOf(gauges)
  expect(fresh.events.waiting).toBe(3)
  expect(fresh.oldestMs).toBeLessThan(MINUTE_MS)
  await queuedEarlier(queue, 'msg_a', 10 * MINUTE_MS)
  expect((await readingOf(gauges)).oldestMs).toBeGreaterThanOrEqual(10 * MINUTE_MS)
  const gate = latch()
  queue.work({ handle: (batch) => gate.opened.then(() => batch.map(() => ({ kind: 'done' as const }))) })
  await until(async () => (await queue.redis.llen(queue.partition.key('active'))) === 3)
  const running = await readingOf(gauges)
  expect(running.events).toMatchObject({ waiting: 0, active: 3 })
  expect(running.oldestMs).toBeGreaterThanOrEqual(10 * MINUTE_MS)
  gate.open()
})

test.each(['replayed by an operator', 'sent again by Clerk'])(
  'a dead letter that waited for a week and is %s is as old as that',
  async (how) => {
    await using queue = await openTestQueue()
    await using gauges = gaugesOf(queue)
    const worker = queue.work({ handle: failing('poison') })
    await queue.producer.enqueue(envelope('msg_a', { receivedAtMs: Date.now() - WEEK_MS }))
    await until(() => isDead(queue, 'msg_a'))
    await worker[Symbol.asyncDispose]()
    await queuedEarlier(queue, 'msg_a', WEEK_MS)
    const dead = await readingOf(gauges)
    expect({ dead: dead.events.dead, oldestMs: dead.oldestMs }).toEqual({ dead: 1, oldestMs: 0 })
    if (how.startsWith('replayed')) await queue.deadLetters.replay('msg_a')
    else await queue.producer.enqueue(envelope('msg_a'))
    const { events, oldestMs } = await readingOf(gauges)
    expect(events).toMatchObject({ waiting: 1, dead: 0 })
    expect(oldestMs).toBeLessThan(MINUTE_MS)
  },
)

test('an event between two tries is retrying, and neither waits nor ages', async () => {
  await using queue = await openTestQueue()
  await using gauges = gaugesOf(queue)
  await queue.producer.enqueue(envelope('msg_a'))
  await queuedEarlier(queue, 'msg_a', WEEK_MS)
  const worker = queue.work({ handle: failing('unknown'), profile: retryingAfter(WEEK_MS) })
  await until(() => worker.seen.retried.length === 1)
  await until(async () => (await queue.redis.zcard(queue.partition.key('delayed'))) === 1)
  const { events, oldestMs } = await readingOf(gauges)
  expect(events).toEqual({ waiting: 0, active: 0, retrying: 1, dead: 0 })
  expect(oldestMs).toBe(0)
})

test('blocked events are counted by code until they are done, given up, or removed', async () => {
  await using queue = await openTestQueue()
  await using gauges = gaugesOf(queue)
  const { redis, partition } = queue
  const codes: Record<string, string> = {
    msg_a: 'mysql_1062',
    msg_b: 'mysql_1062',
    msg_c: 'mysql_1451',
    msg_d: 'mysql_1205',
  }
  let isStopped = true
  const worker = queue.work({
    handle: async (batch) =>
      batch.map(({ envelope: { eventId } }) => {
        if (!isStopped && eventId === 'msg_a') return { kind: 'done' as const }
        const failureClass = isStopped ? 'blocked' : 'poison'
        return { kind: 'failed' as const, failure: new Failure(failureClass, codes[eventId] ?? '', 'a cause') }
      }),
  })
  for (const id of Object.keys(codes)) await queue.producer.enqueue(envelope(id))
  await until(() => worker.seen.blocked.length === 4)
  await until(async () => (await redis.zcard(partition.key('delayed'))) === 4)
  const { blockedByCode, events } = await readingOf(gauges)
  expect(blockedByCode).toEqual({ mysql_1062: 2, mysql_1451: 1, mysql_1205: 1 })
  expect(events.retrying).toBe(4)
  isStopped = false
  // msg_d is removed by an operator; the first is done, and the third is given up.
  await redis.zrem(partition.key('delayed'), 'msg_d')
  await redis.del(partition.key('msg_d'))
  for (const id of ['msg_a', 'msg_c']) await redis.zadd(partition.key('delayed'), 0, id)
  await redis.zadd(partition.key('marker'), 0, '0')
  await until(() => isDead(queue, 'msg_c'))
  await until(async () => (await redis.exists(partition.key('msg_a'))) === 0)
  expect((await readingOf(gauges)).blockedByCode).toEqual({ mysql_1062: 1 })
})

test('an event that comes back for its next try is as old as its time for it', async () => {
  await using queue = await openTestQueue()
  await using gauges = gaugesOf(queue)
  await queue.producer.enqueue(envelope('msg_a'))
  await queuedEarlier(queue, 'msg_a', WEEK_MS)
  const gate = latch()
  const fail = failing('unknown')
  const worker = queue.work({
    profile: retryingAfter(10),
    handle: (batch) => (batch[0]?.attempt === 1 ? fail(batch) : gate.opened.then(() => fail(batch))),
  })
  await until(() => worker.seen.handled.length === 2)
  const { events, oldestMs } = await readingOf(gauges)
  expect(events.active).toBe(1)
  expect(oldestMs).toBeLessThan(MINUTE_MS)
  gate.open()
})

test('dead letters are counted by class, also when they are many and when one tells no class', async () => {
  await using queue = await openTestQueue()
  const { key } = queue.partition
  const commands = queue.redis.pipeline()
  const reasons = [
    'poison/malformed: data.id',
    'killer/worker_killed: alone',
    'odd',
    'odder/than: that',
    'unknown/x: y',
  ]
  for (let index = 0; index < 3000; index += 1) {
    commands.zadd(key('failed'), index, `msg_${index}`)
    commands.hset(key(`msg_${index}`), 'failedReason', reasons[index % reasons.length] ?? '')
  }
  await commands.exec()
  await using gauges = gaugesOf(queue)
  await until(async () => (await gauges.read())?.deadByClass?.poison === 600)
  const { events, deadByClass } = await readingOf(gauges)
  expect(events.dead).toBe(3000)
  expect(deadByClass).toEqual({ outage: 0, contention: 0, blocked: 0, poison: 600, killer: 600, unknown: 1800 })
})

test('of several processes one exports, and when it stops another does at its next renewal', async () => {
  await using queue = await openTestQueue()
  const all = [gaugesOf(queue), gaugesOf(queue), gaugesOf(queue)]
  const exporting = async () => {
    const readings = await Promise.all(all.map(async (gauges) => (await gauges.read()) !== null))
    return all.filter((_, index) => readings[index])
  }
  await until(async () => (await exporting()).length === 1)
  const [first] = await exporting()
  await first?.[Symbol.asyncDispose]()
  expect(await exporting()).toEqual([])
  await until(async () => (await exporting()).length === 1)
  expect(await exporting()).not.toEqual([first])
  await Promise.all(all.filter((gauges) => gauges !== first).map((gauges) => gauges[Symbol.asyncDispose]()))
})

test('the right of a process that was killed runs out, and not before its time', async () => {
  await using queue = await openTestQueue()
  const lease = queue.partition.key('clerk-mirror:gauges')
  const sinceMs = Date.now()
  await queue.redis.set(lease, 'a process that is gone', 'PX', 1500)
  await using gauges = gaugesOf(queue)
  await until(async () => (await gauges.read()) !== null)
  expect(Date.now() - sinceMs).toBeGreaterThanOrEqual(1490)
  expect(await queue.redis.pttl(lease)).toBeLessThanOrEqual(10_000)
})

test('without Redis there is no reading, and nobody waits for one', async () => {
  await using gauges = openQueueGauges(parseRedisUrl('redis://127.0.0.1:1'), partitions(1))
  const sinceMs = performance.now()
  expect(await gauges.read()).toBeNull()
  expect(performance.now() - sinceMs).toBeLessThan(10_000)
})

test('a scrape has the series of the queue while this process exports them, and none otherwise', async () => {
  await using queue = await openTestQueue()
  await queue.producer.enqueue(envelope('msg_a'))
  const gauges = gaugesOf(queue)
  const metrics = openMetrics('worker')
  exportQueueGauges(gauges, metrics)
  const seriesIn = (text: string) => text.split('\n').filter((line) => /^clerk_mirror_(queue|redis)_/.test(line))
  await until(async () => seriesIn(await metrics.text()).length > 0)
  // Two at once, as with two Prometheus servers: neither finds the other's series half written.
  const [one, other] = await Promise.all([metrics.text(), metrics.text()])
  expect(seriesIn(one ?? '')).toEqual(seriesIn(other ?? ''))
  expect(one).toContain('clerk_mirror_queue_events{state="waiting",app="worker"} 1')
  expect(one).toMatch(/^clerk_mirror_queue_oldest_seconds\{app="worker"\} \d/m)
  expect(one).toContain('clerk_mirror_queue_dead_letters{class="poison",app="worker"} 0')
  await gauges[Symbol.asyncDispose]()
  expect(seriesIn(await metrics.text())).toEqual([])
})
