import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { type DeadLetterFilter, type Operations, openOperations } from '@clerk-mirror/operations'
import { parseRedisUrl } from '@clerk-mirror/queue/enqueue'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { userCreated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { aSelectionOfDeadLetters, deadLettered, ONE_OF_EACH, placesOf } from '../../support/queue/dead-letters.js'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { collect } from '../../support/until.js'

let database: TestDatabase
let mirror: Mirror
let queue: TestQueue
let operations: Operations

beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
  await mirror.apply([userCreated('user_settled', { id: ONE_OF_EACH.settled.id })])
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  queue = await openTestQueue()
  const redis = parseRedisUrl(inject('redisUrl'))
  operations = await openOperations({ redis, partitions: [queue.partition], database: database.options })
})
afterEach(async () => {
  await operations[Symbol.asyncDispose]()
  await queue[Symbol.asyncDispose]()
  await database.query('DELETE FROM operator_actions')
  await database.query("DELETE FROM webhook_events WHERE outcome = 'discarded'")
})

const { settled, ...LIVING } = ONE_OF_EACH
const ALL_IDS = Object.values(LIVING).map(({ id }) => id)
const idsFor = async (filter: DeadLetterFilter) =>
  (await collect(operations.deadLetters.each(filter))).map(({ id }) => id)
const ada = { actor: 'ada' }

test('letters are listed oldest first, a page at a time, without the one that the ledger has settled', async () => {
  await aSelectionOfDeadLetters(queue)
  expect(await idsFor({})).toEqual(ALL_IDS)
  const paged: string[] = []
  let cursor: string | null = null
  do {
    const page = await operations.deadLetters.page({ all: true }, { cursor, limit: 3 })
    paged.push(...page.items.map(({ id }) => id))
    cursor = page.cursor
  } while (cursor !== null)
  expect(paged).toEqual(ALL_IDS)
  await expect(operations.deadLetters.page({}, { cursor: 'x', limit: 3 })).rejects.toMatchObject({
    code: 'invalid_cursor',
  })
})

test('a page goes on behind its cursor also when dead letters of the same moment went meanwhile', async () => {
  const key = queue.partition.key
  const ids = Array.from({ length: 9 }, (_, index) => `msg_${index}`)
  await deadLettered(
    queue,
    ids.map((id) => ({ id, reason: 'moved by hand' })),
  )
  for (const id of ids) await queue.redis.zadd(key('failed'), 1_700_000_000_000, id)
  const first = await operations.deadLetters.page({}, { limit: 4 })
  expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 4))
  await queue.deadLetters.replay('msg_1')
  await queue.deadLetters.replay('msg_3') // the very dead letter that the cursor names
  await queue.deadLetters.replay('msg_5')
  const rest = await operations.deadLetters.page({}, { cursor: first.cursor, limit: 9 })
  expect(rest.items.map(({ id }) => id)).toEqual(['msg_4', 'msg_6', 'msg_7', 'msg_8'])
  expect(rest.cursor).toBeNull()
})

test('filters find what they name, and combine', async () => {
  const { malformed, alsoMalformed, refused, killer, hashed, foreign } = await aSelectionOfDeadLetters(queue)
  expect(await idsFor({ type: 'user.updated' })).toEqual([alsoMalformed.id])
  expect(await idsFor({ objectId: 'org_1' })).toEqual([refused.id])
  expect(await idsFor({ class: 'killer' })).toEqual([killer.id])
  expect(await idsFor({ reason: 'ERROR 1406' })).toEqual([refused.id])
  expect(await idsFor({ reason: 'unclassified' })).toEqual([foreign.id])
  expect(await idsFor({ ids: ['evt/of another form', malformed.id, 'msg_absent'] })).toEqual([malformed.id, hashed.id])
  const { causes } = await operations.deadLetters.causes({ class: 'poison' })
  const [{ fingerprint = '' } = {}] = causes
  expect(await idsFor({ fingerprint })).toEqual([malformed.id, alsoMalformed.id])
  expect(await idsFor({ fingerprint, objectId: 'user_2' })).toEqual([alsoMalformed.id])
  const [, , third] = await collect(operations.deadLetters.each({}))
  const sinceMs = third?.failedAtMs ?? 0
  const expected = (await collect(operations.deadLetters.each({}))).filter((each) => each.failedAtMs >= sinceMs)
  expect(await idsFor({ sinceMs })).toEqual(expected.map(({ id }) => id))
  expect(await idsFor({ untilMs: sinceMs - 1 })).toHaveLength(ALL_IDS.length - expected.length)
})

test('letters are grouped by cause, the most frequent first, each with a sample and what to do', async () => {
  const { alsoMalformed } = await aSelectionOfDeadLetters(queue)
  const { total, causes } = await operations.deadLetters.causes({})
  expect(total).toBe(7)
  expect(causes.map(({ class: name, code, count }) => [name, code, count])).toEqual([
    ['poison', 'malformed', 2],
    ['unknown', 'handler_threw', 2],
    ['poison', 'mysql_1406', 1],
    ['killer', 'worker_killed', 1],
    ['unknown', 'unclassified', 1],
  ])
  expect(causes[0]).toMatchObject({ sampleId: alsoMalformed.id, advice: expect.stringMatching(/payload/) })
})

test('a dry run counts exactly, and touches and records nothing', async () => {
  await aSelectionOfDeadLetters(queue)
  const filter = { class: 'poison' } as const
  expect(await operations.deadLetters.replay(filter, { ...ada, dryRun: true })).toEqual({
    matched: 3,
    replayed: 0,
    skipped: 0,
  })
  expect(await operations.deadLetters.discard({ all: true }, { ...ada, dryRun: true })).toMatchObject({ matched: 7 })
  expect(new Set(Object.values(await placesOf(queue, [...ALL_IDS, settled.id])))).toEqual(new Set(['failed']))
  expect((await operations.audit({ limit: 9 })).items).toEqual([])
})

test('replay moves what matches, as if never tried and with its time of receipt, and leaves everything else alone', async () => {
  const { malformed, alsoMalformed, ...others } = await aSelectionOfDeadLetters(queue)
  await queue.redis.hset(queue.partition.key(malformed.id), 'strikes', 4, 'struckBy', 'one two')
  const filter = { reason: 'data.id' }
  expect(await operations.deadLetters.replay(filter, ada)).toEqual({ matched: 2, replayed: 2, skipped: 0 })
  const left = Object.values(others).map(({ id }) => id)
  expect(await placesOf(queue, [malformed.id, alsoMalformed.id, 'msg_waiting', 'msg_retrying', ...left])).toEqual({
    [malformed.id]: 'waiting',
    [alsoMalformed.id]: 'waiting',
    msg_waiting: 'waiting',
    msg_retrying: 'delayed',
    ...Object.fromEntries(left.map((id) => [id, 'failed'])),
  })
  const job = await queue.redis.hgetall(queue.partition.key(malformed.id))
  expect(job).toMatchObject({ timestamp: '1700000000000' })
  for (const field of ['atm', 'ats', 'strikes', 'struckBy', 'failedReason']) expect(job).not.toHaveProperty(field)
  const { items } = await operations.audit({ limit: 9 })
  expect(items).toMatchObject([
    { actor: 'ada', action: 'replay', details: JSON.stringify({ filter }), finishedAtMs: expect.any(Number) },
  ])
  expect(items[0]?.counts).toEqual({ matched: 2, replayed: 2, skipped: 0 })
})

test('an action on many dead letters is on record with a few of their ids, and how many more there were', async () => {
  await deadLettered(queue, [{ id: 'msg_1', reason: 'unknown/x: y' }])
  const ids = ['msg_1', ...Array.from({ length: 999 }, (_, index) => `msg_${index}_${'x'.repeat(300)}`)]
  await operations.deadLetters.replay({ ids, reason: 'y' }, ada)
  const { items } = await operations.audit({ limit: 1 })
  expect(items[0]?.details?.length).toBeLessThan(6_000)
  const { filter } = JSON.parse(items[0]?.details ?? '')
  expect(filter).toEqual({ ids: expect.any(Array), moreIds: 980, reason: 'y' })
  expect(filter.ids).toHaveLength(20)
})

test('discard removes what matches, notes it in the ledger, and leaves everything else alone', async () => {
  const { refused, ...others } = await aSelectionOfDeadLetters(queue)
  const filter = { ids: [refused.id] }
  expect(await operations.deadLetters.discard(filter, ada)).toEqual({ matched: 1, discarded: 1, skipped: 0 })
  expect(await queue.redis.keys(`${queue.partition.key(refused.id)}*`)).toEqual([])
  const left = Object.values(others).map(({ id }) => id)
  expect(new Set(Object.values(await placesOf(queue, left)))).toEqual(new Set(['failed']))
  expect(
    await database.query("SELECT event_id, type, object_id FROM webhook_events WHERE outcome = 'discarded'"),
  ).toEqual([{ event_id: refused.id, type: 'organization.updated', object_id: 'org_1' }])
  expect((await operations.audit({ limit: 9 })).items).toMatchObject([{ action: 'discard', subjectId: refused.id }])
})

test('a discarded event that Clerk sends again is taken, and decided anew', async () => {
  await deadLettered(queue, [{ id: 'msg_again', reason: ONE_OF_EACH.malformed.reason, objectId: null }])
  await operations.deadLetters.discard({ ids: ['msg_again'] }, ada)
  expect(await queue.producer.enqueue(envelope('msg_again'))).toEqual({ kind: 'accepted', how: 'added' })
  expect(await mirror.apply([userCreated('user_again', { id: 'msg_again' })])).toMatchObject([{ outcome: 'applied' }])
  const row = { outcome: 'applied', object_id: 'user_again' }
  expect(await database.query("SELECT outcome, object_id FROM webhook_events WHERE event_id = 'msg_again'")).toEqual([
    row,
  ])
})

test('a dead letter that Clerk revives while it is being discarded stays in the queue', async () => {
  await deadLettered(queue, [{ id: 'msg_revived', reason: 'moved by hand' }])
  await queue.producer.enqueue(envelope('msg_revived'))
  expect(await queue.deadLetters.discard('msg_revived')).toBe(false)
  expect(await placesOf(queue, ['msg_revived'])).toEqual({ msg_revived: 'waiting' })
})

test('two operators at once move each dead letter once between them', async () => {
  const ids = Array.from({ length: 120 }, (_, index) => `msg_of${index}`)
  await deadLettered(
    queue,
    ids.map((id) => ({ id, reason: 'moved by hand' })),
  )
  const replay = (actor: string) => operations.deadLetters.replay({ all: true }, { actor })
  const [one, other] = await Promise.all([replay('ada'), replay('bob')])
  expect(one.replayed + other.replayed).toBe(120)
  for (const { matched, replayed, skipped } of [one, other]) expect(replayed + skipped).toBe(matched)
  expect(await queue.redis.llen(queue.partition.key('wait'))).toBe(120)
})

test('an interrupted replay says how far it came, and the same again does the rest, no faster than asked', async () => {
  const ids = Array.from({ length: 60 }, (_, index) => `msg_of${index}`)
  await deadLettered(
    queue,
    ids.map((id) => ({ id, reason: 'moved by hand' })),
  )
  const stop = new AbortController()
  const steps: number[][] = []
  const onProgress = (done: number, of: number) => {
    steps.push([done, of])
    if (done >= 20) stop.abort()
  }
  const options = { ...ada, ratePerS: 100, onProgress, signal: stop.signal }
  const first = await operations.deadLetters.replay({ all: true }, options)
  expect(first).toEqual({ matched: 60, replayed: 20, skipped: 0 })
  expect(steps).toEqual([
    [10, 60],
    [20, 60],
  ])
  const beganAtMs = performance.now()
  expect(await operations.deadLetters.replay({ all: true }, { ...ada, ratePerS: 100 })).toMatchObject({ replayed: 40 })
  // The first step is at once, so that 40 take three more.
  expect(performance.now() - beganAtMs).toBeGreaterThan(290)
  const { items } = await operations.audit({ limit: 9 })
  expect(items.map(({ finishedAtMs, counts }) => [finishedAtMs === null, counts['replayed']])).toEqual([
    [false, 40],
    [true, 20],
  ])
})

test('a bulk verb sweeps the settled dead letters that it passes, and does not count them', async () => {
  await aSelectionOfDeadLetters(queue)
  expect(await operations.deadLetters.replay({ objectId: 'org_1' }, ada)).toMatchObject({ matched: 1 })
  expect(await placesOf(queue, [settled.id])).toEqual({ [settled.id]: 'failed' })
  expect(await operations.deadLetters.replay({ all: true }, ada)).toMatchObject({ matched: 6, replayed: 6 })
  expect(await queue.redis.zcard(queue.partition.key('failed'))).toBe(0)
  expect(await queue.redis.exists(queue.partition.key(settled.id))).toBe(0)
})

test('retry-now has those events tried that a filter finds among what waits, on record, and touches no dead letter', async () => {
  await aSelectionOfDeadLetters(queue)
  const { key } = queue.partition
  await queue.redis.hset(key('msg_retrying'), 'failedReason', 'unknown/mysql_9999: odd', 'atm', 2)
  const before = await placesOf(queue, ALL_IDS)
  const retryNow = (filter: DeadLetterFilter, options = {}) =>
    operations.deadLetters.retryNow(filter, { ...ada, ...options })
  expect(await retryNow({ class: 'poison' })).toEqual({ matched: 0, retried: 0, skipped: 0 })
  expect(await retryNow({ reason: 'MYSQL_9999' }, { dryRun: true })).toEqual({ matched: 1, retried: 0, skipped: 0 })
  expect(await placesOf(queue, ['msg_retrying'])).toEqual({ msg_retrying: 'delayed' })
  expect((await operations.audit({ limit: 9 })).items).toEqual([])
  expect(await retryNow({ reason: 'mysql_9999', type: 'user.created' })).toEqual({ matched: 1, retried: 1, skipped: 0 })
  expect(await placesOf(queue, ['msg_retrying', ...ALL_IDS])).toEqual({ ...before, msg_retrying: 'waiting' })
  expect(await queue.redis.hget(key('msg_retrying'), 'atm')).toBe('2')
  expect((await operations.audit({ limit: 9 })).items).toMatchObject([
    {
      actor: 'ada',
      action: 'retry-now',
      counts: { matched: 1, retried: 1, skipped: 0 },
      finishedAtMs: expect.any(Number),
    },
  ])
  await expect(retryNow({})).rejects.toMatchObject({ code: 'filter_empty' })
  await expect(retryNow({ sinceMs: 1 })).rejects.toMatchObject({ code: 'filter_unfit' })
})

test('without a filter no bulk verb does anything', async () => {
  await aSelectionOfDeadLetters(queue)
  await expect(operations.deadLetters.discard({}, ada)).rejects.toMatchObject({ code: 'filter_empty' })
  expect(await idsFor({})).toEqual(ALL_IDS)
})

test('without a database the queue is shown as it is, and what needs the audit says so', async () => {
  await aSelectionOfDeadLetters(queue)
  const redis = parseRedisUrl(inject('redisUrl'))
  await using alone = await openOperations({ redis, partitions: [queue.partition], database: null })
  expect(await collect(alone.deadLetters.each({}))).toHaveLength(8)
  expect(alone.isLedgerAsked()).toBe(false)
  await expect(alone.deadLetters.replay({ all: true }, ada)).rejects.toMatchObject({ code: 'database_required' })
  await expect(alone.audit({ limit: 1 })).rejects.toMatchObject({ code: 'database_required' })
  expect(await alone.status()).toMatchObject({ queue: { dead: 8, retrying: 1, waiting: 1 }, outcomesLastHour: null })
})

test('a database that does not answer holds nothing up but what needs it', async () => {
  await aSelectionOfDeadLetters(queue)
  const redis = parseRedisUrl(inject('redisUrl'))
  const away = { ...database.options, port: 1, connectTimeoutMs: 200 }
  await using alone = await openOperations({ redis, partitions: [queue.partition], database: away })
  expect((await alone.deadLetters.causes({})).total).toBe(8)
  expect(alone.isLedgerAsked()).toBe(false)
  await expect(alone.audit({ limit: 1 })).rejects.toMatchObject({ code: 'database_unavailable' })
})
