import { randomBytes } from 'node:crypto'
import { openQueueBrowser, openStoredEvents, parseRedisUrl } from '@clerk-mirror/queue/operate'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { BROWSE_BYTES_MAX, BROWSE_ROWS_MAX, SCRIPT_BYTES_MAX } from '../../../packages/queue/src/limits.js'
import { openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { collect, until } from '../../support/until.js'

const DEAD_LETTERS = 1500
const LARGE_BYTES = 1024 * 1024
const LARGE = 24

const target = parseRedisUrl(inject('redisUrl'))
let many: TestQueue
let large: TestQueue
beforeAll(async () => {
  many = await openTestQueue()
  large = await openTestQueue()
  await deadLetters(many, DEAD_LETTERS, 100)
  await deadLetters(large, LARGE, LARGE_BYTES)
})
afterAll(async () => {
  await many[Symbol.asyncDispose]()
  await large[Symbol.asyncDispose]()
})

/** As many as need be, without a worker that fails them one after the other. */
async function deadLetters(
  { redis, partition: { key } }: Pick<TestQueue, 'redis' | 'partition'>,
  count: number,
  bodyBytes: number,
) {
  for (let index = 0; index < count; index += 1) {
    const id = `msg_${String(index).padStart(5, '0')}`
    const data = JSON.stringify({
      ...{ objectId: 'user_1', instanceId: null, source: 'clerk' },
      body: JSON.stringify({ data: { id: 'user_1', filler: 'x'.repeat(bodyBytes) } }),
    })
    const reason = 'poison/malformed: data.id is not a string'
    await redis.hset(key(id), { name: 'user.created', data, timestamp: 1, atm: 1, opts: '{}', failedReason: reason })
    await redis.zadd(key('failed'), index, id)
  }
}

/** Every command that Redis runs on this queue while the work goes on, those of scripts included, in order. */
async function commandsOf({ redis, partition: { prefix } }: TestQueue, work: () => Promise<unknown>) {
  const monitor = await new Redis(inject('redisUrl')).monitor()
  const seen: string[][] = []
  const end = randomBytes(8).toString('hex')
  let isOver = false
  monitor.on('monitor', (_time: string, args: string[]) => {
    if (args.includes(end)) isOver = true
    if (!isOver && args.some((each) => each.includes(prefix))) seen.push(args)
  })
  await work()
  await redis.echo(end)
  await until(() => isOver)
  monitor.disconnect()
  return seen
}

/** How many jobs each script read, one after the other. */
function readsOfScripts(commands: readonly string[][]): number[] {
  const reads: number[] = []
  for (const [name = ''] of commands) {
    if (/^eval/i.test(name)) reads.push(0)
    else if (/^(hmget|hget|hgetall)$/i.test(name)) reads.push((reads.pop() ?? 0) + 1)
  }
  return reads
}

const browse = ({ partition }: TestQueue) => openQueueBrowser(target, [partition], (body) => body.slice(0, 20))

test.each([
  [0, 999_999],
  [0, -1],
  [1000, 1_000_000],
])('a tool that asks for the dead letters from %i to %i is given a page, and Redis reads no more', async (from, to) => {
  await using browser = browse(many)
  const [queue] = await browser.queues()
  let jobs: unknown[] = []
  const commands = await commandsOf(many, async () => {
    jobs = (await queue?.getJobs(['failed'], from, to)) ?? []
  })
  expect(jobs).toHaveLength(BROWSE_ROWS_MAX)
  expect(commands.filter(([name = '']) => /^h/i.test(name))).toHaveLength(BROWSE_ROWS_MAX)
  const ranges = commands.filter(([name = '']) => /^z(rev)?range$/i.test(name))
  expect(ranges.map(([, , first, last]) => Number(last) - Number(first) + 1)).toEqual([BROWSE_ROWS_MAX])
})

test('beyond the bytes of a page, jobs are given without their data', async () => {
  await using browser = browse(large)
  const [queue] = await browser.queues()
  const jobs = (await queue?.getJobs(['failed'], 0, 999_999)) ?? []
  expect(jobs).toHaveLength(LARGE)
  const read = jobs.filter(({ data }) => !String(data.body).startsWith('not read'))
  expect(read.length).toBe(BROWSE_BYTES_MAX / LARGE_BYTES)
  expect(jobs.at(-1)).toMatchObject({ id: 'msg_00000', name: 'user.created', attemptsMade: 1 })
  expect(jobs.at(-1)?.failedReason).toMatch(/^poison\/malformed/)
})

test('logs, results, progress and schedules of foreign jobs are not shown', async () => {
  const id = 'msg_00001'
  const { redis, partition } = many
  await redis.rpush(partition.key(`${id}:logs`), 'ada@example.com signed up')
  await redis.hset(partition.key(id), { returnvalue: '"ada@example.com"', progress: '"ada@example.com"' })
  await redis.hset(partition.key(id), { opts: '{"attempts":8,"parent":{"id":"ada@example.com"}}' })
  await using browser = browse(many)
  const [queue] = await browser.queues()
  const job = await queue?.getJob(id)
  expect(JSON.stringify(job?.asJSON())).not.toContain('ada@')
  expect(job?.opts.attempts).toBe(8)
  expect(await queue?.getJobLogs(id)).toEqual({ logs: [], count: 0 })
  expect(await queue?.getJobSchedulers()).toEqual([])
})

test('a hundred pages asked for at once wait for each other', async () => {
  await using browser = browse(many)
  const [queue] = await browser.queues()
  const commands = await commandsOf(many, () =>
    Promise.all(Array.from({ length: 100 }, () => queue?.getJobs(['failed'], 0, 9))),
  )
  // Each script of a page, and then its ten jobs, before the next page's script.
  expect(readsOfScripts(commands)).toEqual(Array.from({ length: 100 }, () => 10))
})

test('a list of large dead letters is read in scripts of few bytes, and none is missing', async () => {
  let ids: string[] = []
  const commands = await commandsOf(large, async () => {
    ids = (await collect(large.deadLetters.list())).map(({ id }) => id)
  })
  expect(ids).toEqual(Array.from({ length: LARGE }, (_, index) => `msg_${String(index).padStart(5, '0')}`))
  expect(Math.max(...readsOfScripts(commands))).toBeLessThanOrEqual(SCRIPT_BYTES_MAX / LARGE_BYTES)
})

test('so are those that are asked for by their ids', async () => {
  const ids = Array.from({ length: LARGE }, (_, index) => `msg_${String(index).padStart(5, '0')}`)
  let found: string[] = []
  const commands = await commandsOf(large, async () => {
    found = (await large.deadLetters.among(['msg_nowhere', ...ids])).map(({ deadLetter }) => deadLetter.id)
  })
  expect(found).toEqual(ids)
  expect(Math.max(...readsOfScripts(commands))).toBeLessThanOrEqual(SCRIPT_BYTES_MAX / LARGE_BYTES)
})

test('so is a search through the whole queue', async () => {
  // A database of its own: between the keys of other tests, a walk would meet one of these at a time.
  const redis = new Redis(inject('redisUrl'), { db: 9 })
  onTestFinished(() => redis.flushdb().then(() => redis.disconnect()))
  await deadLetters({ ...large, redis }, LARGE, LARGE_BYTES)
  using stored = await openStoredEvents({ ...target, database: 9 }, [large.partition])
  let found: string[] = []
  const commands = await commandsOf(large, async () => {
    found = (await collect(stored.containing(['user_1']))).map(({ id }) => id)
  })
  expect([...new Set(found)]).toHaveLength(LARGE)
  // Besides the scripts' HGET there is an HMGET for each job that was found.
  const reads = readsOfScripts(commands.filter(([name = '']) => !/^hmget$/i.test(name)))
  expect(reads.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(LARGE)
  expect(Math.max(...reads)).toBeLessThanOrEqual(SCRIPT_BYTES_MAX / LARGE_BYTES)
})

test('an object is found in a large event whose id is odd, and a large foreign job has none', async () => {
  await using odd = await openTestQueue()
  const { redis, partition } = odd
  const body = 'x'.repeat(200_000)
  const ours = JSON.stringify({ objectId: 'user_"1', instanceId: null, source: 'clerk', body })
  const foreign = JSON.stringify({ body, objectId: 'user_2' })
  for (const [id, data] of Object.entries({ msg_1: ours, msg_2: foreign })) {
    await redis.hset(partition.key(id), { name: 'user.created', data, timestamp: 1 })
    await redis.zadd(partition.key('failed'), 1, id)
  }
  expect((await collect(odd.deadLetters.list())).map(({ objectId }) => objectId)).toEqual(['user_"1', null])
})
