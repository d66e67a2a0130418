import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import {
  openProducer,
  openReactionProducer,
  parseRedisUrl,
  partition,
  reactionPartition,
} from '@clerk-mirror/queue/enqueue'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { runCommand } from '../../../apps/cli/src/run-command.js'
import { TIME_BASE, userCreated, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { aSelectionOfDeadLetters, ONE_OF_EACH } from '../../support/queue/dead-letters.js'
import { envelope, type TestQueue, UNOBSERVED } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'
import { Written } from '../../support/written.js'

/*
 * The commands know one queue alone, by its contract's name: a database of Redis' own keeps it apart from what the
 * other tests do.
 */
const REDIS_DATABASE = 12
const redisUrl = new URL(inject('redisUrl'))
redisUrl.pathname = `/${REDIS_DATABASE}`

let database: TestDatabase
let mirror: Mirror
let redis: Redis
let queue: Pick<TestQueue, 'partition' | 'producer' | 'redis'>
const written = new Written()

beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
  await mirror.apply([userCreated('user_settled', { id: ONE_OF_EACH.settled.id })])
  redis = new Redis(redisUrl.href)
  const own = partition('{clerk-0}')
  const producer = openProducer(parseRedisUrl(redisUrl.href), [own], UNOBSERVED)
  await until(() => producer.inspect().then(() => true))
  queue = { partition: own, producer, redis }
})
afterAll(async () => {
  await redis.flushdb()
  redis.disconnect()
  queue.producer[Symbol.dispose]()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await redis.flushdb()
  await database.query('DELETE FROM operator_actions')
  await aSelectionOfDeadLetters(queue)
  written.keep()
})
afterEach(() => void vi.restoreAllMocks())

const ops = (...words: string[]) => {
  written.clear()
  return runCommand(words, { DATABASE_URL: database.url, REDIS_URL: redisUrl.href })
}
const json = () => JSON.parse(written.out) as unknown
const dead = () => redis.zcard('{clerk-0}:clerk-events:failed')

test('list --json prints one array in the documented shape, and nothing else', async () => {
  expect(await ops('dead-letters', 'list', '--object', 'org_1', '--json')).toBe(0)
  expect(json()).toEqual([
    {
      id: 'msg_refused',
      type: 'organization.updated',
      objectId: 'org_1',
      class: 'poison',
      code: 'mysql_1406',
      message: 'the database refused with error 1406',
      fingerprint: expect.stringMatching(/^[\da-f]{8}$/),
      attempts: 1,
      receivedAt: '2023-11-14T22:13:20.000Z',
      failedAt: expect.stringMatching(/Z$/),
    },
  ])
  expect(await ops('dead-letters', 'list', '--json')).toBe(0)
  expect(json()).toHaveLength(7)
  expect(await ops('dead-letters', 'list', '--type', 'nothing', '--json')).toBe(0)
  expect(json()).toEqual([])
})

test('list tells people the causes first, with how many and what to do', async () => {
  expect(await ops('dead-letters', 'list')).toBe(0)
  expect(written.out).toMatch(/^7 dead letters, 5 causes\n/)
  expect(written.out).toMatch(/ 2 {2}poison\/malformed {2}--fingerprint \w{8}\n.*data\.id/)
  expect(written.out.indexOf('replay after the fix')).toBeLessThan(written.out.indexOf('msg_killer '))
  expect(await ops('dead-letters', 'list', '--since', '1m', '--until', '2020-01-01T00:00Z')).toBe(0)
  expect(written.out).toBe('No dead letters.\n')
})

test('replay --dry-run counts, replay does it, and the audit tells who it was', async () => {
  expect(await ops('dead-letters', 'replay', '--class', 'poison', '--dry-run', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 3, replayed: 0, skipped: 0 })
  expect(await dead()).toBe(8)
  expect(await ops('dead-letters', 'replay', '--class', 'poison', '--rate', '1000', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 3, replayed: 3, skipped: 0 })
  const lines = written.note.trim().split('\n')
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ event: 'replay.progress', done: 3, of: 3 })
  expect(await ops('audit', 'list', '--json')).toBe(0)
  expect(json()).toMatchObject([
    {
      actor: expect.stringContaining('@'),
      action: 'replay',
      details: { filter: { class: 'poison' } },
      counts: { matched: 3, replayed: 3, skipped: 0 },
    },
  ])
  expect(await ops('audit', 'list')).toBe(0)
  expect(written.out).toContain('3 replayed')
})

test('discard asks, refuses where there is nobody to ask, and with --yes does it', async () => {
  expect(await ops('dead-letters', 'discard', '--class', 'killer')).toBe(2)
  expect(written.note).toContain('say --yes')
  expect(await dead()).toBe(8)
  expect(await ops('dead-letters', 'discard', '--class', 'killer', '--dry-run')).toBe(0)
  expect(written.out).toBe('1 would be discarded. Nothing was touched.\n')
  expect(await ops('dead-letters', 'discard', '--class', 'killer', '--yes', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 1, discarded: 1, skipped: 0 })
  expect(await dead()).toBe(7)
})

test('retry-now asks, and with --yes has the event tried that waits for its next try', async () => {
  const waiting = () => redis.llen('{clerk-0}:clerk-events:wait')
  expect(await ops('dead-letters', 'retry-now', '--all')).toBe(2)
  expect(written.note).toContain('say --yes')
  expect(await ops('dead-letters', 'retry-now', '--all', '--dry-run')).toBe(0)
  expect(written.out).toBe('1 would be tried now. Nothing was touched.\n')
  expect(await waiting()).toBe(1)
  expect(await ops('dead-letters', 'retry-now', '--type', 'user.created', '--yes', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 1, retried: 1, skipped: 0 })
  expect([await waiting(), await dead()]).toEqual([2, 8])
  expect(await ops('dead-letters', 'retry-now', '--id', 'msg_retrying', '--yes')).toBe(1)
  expect(written.out).toBe('0 matched, 0 are tried now, 0 skipped.\n')
})

test.each([
  [['dead-letters', 'retry-now', '--yes']],
  [['dead-letters', 'retry-now', '--since', '1h', '--yes']],
  [['dead-letters', 'replay']],
  [['dead-letters', 'replay', 'msg_killer']],
  [['dead-letters', 'discard', '--yes']],
  [['dead-letters', 'replay', '--all', '--class', 'poison']],
  [['dead-letters', 'replay', '--all', '--rate', '0']],
  [['dead-letters', 'list', '--class', 'odd']],
  [['dead-letters', 'list', '--since', 'yesterday']],
  [['audit', 'list', '--limit', '0']],
  [['trace']],
  [['versions', 'release', '--yes']],
  [['versions', 'release', 'user_1', '--all', '--yes']],
])('%j is wrong usage, and touches nothing', async (words) => {
  expect(await ops(...words)).toBe(2)
  expect(written.out).toBe('')
  expect(await dead()).toBe(8)
})

test('replaying a dead letter that is not there fails', async () => {
  expect(await ops('dead-letters', 'replay', '--id', 'msg_absent', '--json')).toBe(1)
  expect(json()).toEqual({ matched: 0, replayed: 0, skipped: 0 })
})

test('export prints a dead letter a line, with its body only when that is asked for', async () => {
  const lines = () =>
    written.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(await ops('dead-letters', 'export')).toBe(0)
  expect(lines()).toHaveLength(7)
  expect(lines()[0]).not.toHaveProperty('body')
  expect(await ops('dead-letters', 'export', '--id', 'msg_killer', '--payload')).toBe(0)
  expect(lines()).toMatchObject([{ id: 'msg_killer', source: 'clerk', body: expect.stringContaining('user.created') }])
  expect(await dead()).toBe(8)
})

const looks = async () => {
  await ops('audit', 'list', '--json')
  return (json() as { action: string; actor: string; finishedAt: string | null }[]).filter(
    ({ action }) => action === 'look',
  )
}

test('a payload is printed once it is on record who looked; without one, nothing is', async () => {
  expect(await ops('dead-letters', 'show', 'msg_killer')).toBe(0)
  expect(await ops('dead-letters', 'export')).toBe(0)
  expect(await looks()).toEqual([])
  expect(await ops('dead-letters', 'show', 'msg_killer', '--payload')).toBe(0)
  expect(written.out).toContain('user.created')
  const look = { action: 'look', actor: expect.stringMatching(/.@./), finishedAt: expect.any(String) }
  expect(await looks()).toMatchObject([{ ...look, subjectId: 'msg_killer', details: null }])
  expect(await ops('dead-letters', 'export', '--class', 'poison', '--payload')).toBe(0)
  expect(written.out.split('"body":').length - 1).toBe(3)
  const [exported] = await looks()
  expect(exported).toMatchObject({
    ...look,
    subjectId: null,
    details: { filter: { class: 'poison' } },
    counts: { shown: 3 },
  })
})

test('what cannot go on record is not printed', async () => {
  for (const words of [['show', 'msg_killer'], ['export']]) {
    written.clear()
    const code = await runCommand(['dead-letters', ...words, '--payload'], { REDIS_URL: redisUrl.href })
    expect([code, written.out]).toEqual([1, ''])
    expect(written.note).toContain('[database_required]')
  }
})

test('status and trace answer programs in JSON and people in words', async () => {
  expect(await ops('status', '--json')).toBe(0)
  expect(json()).toMatchObject({
    queue: { waiting: 1, active: 0, retrying: 1, dead: 8 },
    oldestAgeS: expect.any(Number),
    breaker: null,
    workers: [],
    deadLettersByClass: { poison: 3, killer: 1, unknown: 4, outage: 0, contention: 0, blocked: 0 },
    outcomesLastHour: { applied: 1 },
  })
  expect(await ops('status')).toBe(0)
  expect(written.out).toContain('no worker is alive')
  expect(await ops('trace', 'msg_killer', '--json')).toBe(0)
  expect(json()).toMatchObject({ kind: 'event', where: 'dead', comparison: 'nothing-stored' })
  expect(await ops('trace', 'user_settled')).toBe(0)
  expect(written.out).toMatch(/^user_settled {2}user\nnow {8}stored/)
  expect(await ops('trace', 'msg_absent')).toBe(1)
})

test('versions list and release find an object that is pinned to the future, and let it go', async () => {
  const far = 400 * 86_400_000
  const inYears = Date.now() - TIME_BASE + far
  await mirror.apply([userCreated('user_pinned', { id: 'msg_far', at: inYears }), userCreated('user_beyond')])
  // Later than any calendar goes.
  await database.query("UPDATE clerk_objects SET updated_at_ms = 9000000000000000 WHERE id = 'user_beyond'")
  await mirror.apply([userUpdated('user_beyond', { at: 5_000 })])
  expect(await ops('versions', 'list', '--json')).toBe(0)
  expect(json()).toMatchObject([
    { id: 'user_beyond', updatedAtMs: 9e15 },
    { id: 'user_pinned', kind: 'user', eventId: 'msg_far', updatedAtMs: TIME_BASE + inYears },
  ])
  for (const words of [['versions', 'list'], ['trace', 'user_beyond'], ['status']]) expect(await ops(...words)).toBe(0)
  expect(written.out).toContain('2 with a version far in the future')
  expect(await ops('versions', 'release', 'user_pinned')).toBe(2)
  expect(written.note).toContain('say --yes')
  expect(await ops('versions', 'release', 'user_pinned', '--dry-run', '--json')).toBe(0)
  expect(json()).toMatchObject([{ id: 'user_pinned', kind: 'released' }])
  expect(await ops('versions', 'release', 'user_pinned', 'user_settled', '--yes', '--json')).toBe(1)
  expect(json()).toMatchObject([{ kind: 'released' }, { id: 'user_settled', kind: 'not-ahead' }])
  expect(await ops('versions', 'release', '--all', '--yes')).toBe(0)
  expect(written.out).toMatch(/^user_beyond {2}released: version 9000000000000000 ms, then 2023-/)
  expect(await ops('versions', 'release', '--all', '--yes')).toBe(0)
  expect(written.out).toBe('There is nothing to release.\n')
  expect(await ops('audit', 'list', '--json')).toBe(0)
  expect(json()).toMatchObject([{ action: 'release', subjectId: 'user_beyond' }, { subjectId: 'user_pinned' }])
})

test('without DATABASE_URL dead letters are listed, and what goes on record is refused by its code', async () => {
  const withoutDatabase = (...words: string[]) => runCommand(words, { REDIS_URL: redisUrl.href })
  expect(await withoutDatabase('dead-letters', 'list', '--json')).toBe(0)
  expect(json()).toHaveLength(8)
  expect(written.note).toContain('The database did not answer')
  expect(await withoutDatabase('dead-letters', 'replay', '--all')).toBe(1)
  expect(written.note).toContain('[database_required]')
  expect(await dead()).toBe(8)
})

test('--queue reactions is another queue: its dead letters are listed, shown and discarded, and events are not', async () => {
  const before = await dead()
  const place = reactionPartition(queue.partition, 'recorder')
  using producer = openReactionProducer(parseRedisUrl(redisUrl.href), queue.partition, ['recorder'])
  const run = envelope('x_run', { type: 'recorder', objectId: 'user_1', body: '{"objectId":"user_1"}' })
  await until(() => producer.enqueue(place, [run]).then(() => true))
  await until(async () => (await redis.exists('{clerk-0}:clerk-reactions:clerk-mirror:reactions')) === 1)
  await redis.lrem(place.key('wait'), 1, 'x_run')
  await redis.hset(place.key('x_run'), 'failedReason', 'poison/receiver_gone: the receiver answered with 410', 'atm', 1)
  await redis.zadd(place.key('failed'), 1_700_000_000_000, 'x_run')
  expect(await ops('dead-letters', 'list', '--queue', 'reactions', '--json')).toBe(0)
  expect(json()).toMatchObject([{ id: 'x_run', type: 'recorder', code: 'receiver_gone' }])
  expect(await ops('dead-letters', 'show', 'x_run', '--queue', 'reactions')).toBe(0)
  expect(await ops('dead-letters', 'show', 'x_run')).toBe(1)
  expect(await ops('dead-letters', 'list', '--queue', 'tasks')).toBe(2)
  expect(await ops('status')).toBe(0)
  expect(written.out).toMatch(/recorder +1 dead/)
  await redis.hset(place.key('x_waits'), 'name', 'recorder', 'data', '{}', 'atm', 1)
  await redis.zadd(place.key('delayed'), 0x1000 * 4_000_000_000_000, 'x_waits')
  expect(await ops('dead-letters', 'retry-now', '--queue', 'reactions', '--id', 'x_waits', '--yes', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 1, retried: 1, skipped: 0 })
  expect(await redis.lrange(place.key('wait'), 0, -1)).toEqual(['x_waits'])
  expect(await ops('dead-letters', 'discard', '--queue', 'reactions', '--all', '--yes', '--json')).toBe(0)
  expect(json()).toEqual({ matched: 1, discarded: 1, skipped: 0 })
  expect(await redis.exists(place.key('x_run'))).toBe(0)
  expect(await dead()).toBe(before)
})
