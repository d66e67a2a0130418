import { Failure } from '@clerk-mirror/events'
import { openQueueView, parseRedisUrl, type QueueView } from '@clerk-mirror/queue/operate'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { HEARTBEAT_MS } from '../../../packages/queue/src/limits.js'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

let queue: TestQueue
let view: QueueView
beforeEach(async () => {
  queue = await openTestQueue()
  view = await openQueueView(parseRedisUrl(inject('redisUrl')), [queue.partition])
})
afterEach(async () => {
  view[Symbol.dispose]()
  await queue[Symbol.asyncDispose]()
})

test('a worker is seen as alive until it ends', async () => {
  const [one] = [queue.work(), queue.work()]
  await until(async () => (await view.workers()).length === 2)
  expect((await view.workers())[0]).toMatchObject({ pid: process.pid, breaker: 'closed', held: 0 })
  await one?.[Symbol.asyncDispose]()
  expect(await view.workers()).toHaveLength(1)
})

test('a worker whose database is away is seen to hold its events, at once', async () => {
  let isAway = false
  const probe = async () => {
    if (isAway) throw new Failure('outage', 'mysql_1290', 'read-only')
  }
  const handle = async () => {
    isAway = true
    await probe()
    return []
  }
  const beats: { atMs: number; breaker: string }[] = []
  const monitor = await queue.redis.monitor()
  onTestFinished(() => monitor.disconnect())
  monitor.on('monitor', (seconds: string, args: string[]) => {
    const text = args.includes(queue.partition.key('clerk-mirror:workers')) ? args.join(' ') : ''
    const [, breaker] = /"breaker":"([\w-]+)"/.exec(text) ?? []
    if (breaker) beats.push({ atMs: 1000 * Number(seconds), breaker })
  })
  queue.work({ handle, probe })
  await queue.producer.enqueue(envelope('msg_held'))
  await until(async () => (await view.workers())[0]?.breaker === 'open')
  await until(() => beats.some(({ breaker }) => breaker === 'open'))
  const opened = beats.findIndex(({ breaker }) => breaker === 'open')
  // Sooner than the next heartbeat is due, in the time of Redis.
  expect((beats[opened]?.atMs ?? 0) - (beats[opened - 1]?.atMs ?? 0)).toBeLessThan(HEARTBEAT_MS)
  expect(await view.workers()).toMatchObject([{ breaker: 'open', held: 1 }])
})

test('the word of a worker that was killed runs out', async () => {
  const key = queue.partition.key('clerk-mirror:workers')
  const word = JSON.stringify({ host: 'gone', pid: 1, startedAtMs: 1, breaker: 'closed', held: 3 })
  await queue.redis.hset(key, 'killed', `${Date.now() - 10_500} ${word}`, 'alive', `${Date.now()} ${word}`)
  expect(await view.workers()).toHaveLength(1)
  queue.work()
  await until(async () => (await queue.redis.hget(key, 'killed')) === null)
  expect(await queue.redis.pttl(key)).toBeGreaterThan(0)
})
