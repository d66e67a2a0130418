import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { type Operations, openOperations } from '@clerk-mirror/operations'
import { type Delivery, parseRedisUrl } from '@clerk-mirror/queue/consume'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { deadLettered, placesOf } from '../../support/queue/dead-letters.js'
import { done, envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { collect, until } from '../../support/until.js'

const KILLER = 'killer/worker_killed: ran alone 5 times, and each time its worker crashed'

let database: TestDatabase
let mirror: Mirror
let queue: TestQueue
let operations: Operations
beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  queue = await openTestQueue()
  const redis = parseRedisUrl(inject('redisUrl'))
  operations = await openOperations({ redis, partitions: [queue.partition], database: database.options })
  await deadLettered(queue, [
    { id: 'msg_mistaken', reason: KILLER },
    { id: 'msg_starved', reason: KILLER },
    { id: 'msg_proven', reason: KILLER },
    { id: 'msg_poison', reason: 'poison/malformed: data.id' },
  ])
  const { key } = queue.partition
  // As version 0.1 left them: six strikes that half-open turns of one living worker wrote, and one stall or several.
  await queue.redis.hset(key('msg_mistaken'), 'strikes', 6, 'stc', 1)
  await queue.redis.hset(key('msg_starved'), 'strikes', 6, 'stc', 6)
  await queue.redis.hset(key('msg_proven'), 'struckBy', 'a b c d e', 'stc', 6)
})
afterEach(async () => {
  await operations[Symbol.asyncDispose]()
  await queue[Symbol.asyncDispose]()
})

test('letters that were condemned without a record of dead workers are told from those with one, and replayed by one command', async () => {
  const ids = async () => (await collect(operations.deadLetters.each({ unproven: true }))).map(({ id }) => id)
  expect(await ids()).toEqual(['msg_mistaken', 'msg_starved'])
  const filter = { class: 'killer', unproven: true } as const
  expect(await operations.deadLetters.replay(filter, { actor: 'ada' })).toMatchObject({ matched: 2, replayed: 2 })
  expect(await placesOf(queue, ['msg_mistaken', 'msg_starved', 'msg_proven', 'msg_poison'])).toEqual({
    ...{ msg_mistaken: 'waiting', msg_starved: 'waiting' },
    ...{ msg_proven: 'failed', msg_poison: 'failed' },
  })
  expect(await ids()).toEqual([])
  const worker = queue.work()
  await until(() => worker.seen.handled.flat().length === 2)
})

test('an event that a worker condemns today keeps its record, and is not among those', async () => {
  await queue.producer.enqueue(envelope('msg_condemned'))
  await queue.redis.hset(queue.partition.key('msg_condemned'), 'ats', 6, 'struckBy', 'a b c d e')
  const worker = queue.work()
  await until(async () => (await queue.deadLetters.find('msg_condemned')) !== null)
  expect(worker.seen.dead).toMatchObject([{ id: 'msg_condemned', failure: { class: 'killer' } }])
  expect(await queue.deadLetters.find('msg_condemned')).toMatchObject({ isUnproven: false })
  const found = await collect(operations.deadLetters.each({ class: 'killer', unproven: true }))
  expect(found.map(({ id }) => id)).toEqual(['msg_mistaken', 'msg_starved'])
})

test('a replayed killer runs alone from its first start on, with a clean record, and no healthy event beside it', async () => {
  await operations.deadLetters.replay({ class: 'killer' }, { actor: 'ada' })
  for (const field of ['strikes', 'struckBy', 'stc', 'failedReason', 'atm']) {
    expect(await queue.redis.hexists(queue.partition.key('msg_proven'), field)).toBe(0)
  }
  const healthy = Array.from({ length: 50 }, (_, index) => `msg_healthy${index}`)
  await Promise.all(healthy.map((id) => queue.producer.enqueue(envelope(id))))
  const suspected: string[] = []
  const handle = async (batch: readonly Delivery[]) => {
    suspected.push(...batch.filter(({ isStalled }) => isStalled).map(({ envelope: { eventId } }) => eventId))
    return batch.map(() => done)
  }
  const worker = queue.work({ handle })
  await until(() => worker.seen.handled.flat().length === 53)
  expect(suspected.toSorted()).toEqual(['msg_mistaken', 'msg_proven', 'msg_starved'])
  expect(worker.seen.handled.filter((batch) => batch.some((id) => suspected.includes(id)))).toHaveLength(3)
})

test('a killer that Clerk sends again with a fresh body runs alone too, and a replayed dead letter of another class does not', async () => {
  await queue.producer.enqueue(envelope('msg_proven', { body: '{"type":"user.created","data":{"id":"user_2"}}' }))
  await operations.deadLetters.replay({ ids: ['msg_poison'] }, { actor: 'ada' })
  expect(await queue.redis.hget(queue.partition.key('msg_proven'), 'ats')).toBe('1')
  expect(await queue.redis.hget(queue.partition.key('msg_poison'), 'ats')).toBeNull()
})
