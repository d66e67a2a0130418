import { openProducer } from '@clerk-mirror/queue/enqueue'
import {
  type DeadLetters,
  type EnvelopeKeys,
  openDeadLetters,
  openQueueBrowser,
  openQueueView,
  parseEnvelopeKeys,
  parseRedisUrl,
} from '@clerk-mirror/queue/operate'
import { beforeEach, expect, inject, test } from 'vitest'
import { deadLettered, openStockQueue } from '../../support/queue/dead-letters.js'
import { madeUpKey } from '../../support/queue/encryption-keys.js'
import { envelope, openTestQueue, retryingAfter, type TestQueue, UNOBSERVED } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

const MARKER = 'xQz7marker'
const [entryA, entryB] = [madeUpKey('A'), madeUpKey('B')]
const [onlyA, onlyB, bThenA] = [entryA, entryB, `${entryB},${entryA}`].map(parseEnvelopeKeys) as [
  EnvelopeKeys,
  EnvelopeKeys,
  EnvelopeKeys,
]
const NONE: EnvelopeKeys = new Map()
const body = JSON.stringify({ type: 'user.created', data: { id: 'user_1', first_name: MARKER } })
const target = parseRedisUrl(inject('redisUrl'))

let queue: TestQueue
beforeEach(async () => {
  queue = await openTestQueue({ keys: onlyA })
  return () => queue[Symbol.asyncDispose]()
})

const accept = (id: string) => queue.producer.enqueue(envelope(id, { body, userId: 'user_9' }))

/** A producer of a release that has these keys. */
async function acceptWith(keys: EnvelopeKeys, id: string) {
  using producer = openProducer(target, [queue.partition], UNOBSERVED, keys)
  await until(() => producer.inspect().then(() => true))
  return await producer.enqueue(envelope(id, { body }))
}

/** All that Redis holds of the queue. */
async function stored(): Promise<string> {
  const { redis, partition } = queue
  const contents = (await redis.keys(`${partition.prefix}*`)).map(async (key) => {
    const type = await redis.type(key)
    return type === 'hash' ? redis.hgetall(key) : type === 'stream' ? redis.xrange(key, '-', '+') : null
  })
  return JSON.stringify(await Promise.all(contents))
}

const job = (id: string) => queue.redis.hgetall(queue.partition.key(id))

test('what waits in Redis shows nothing of a body, and the worker gets it as it came', async () => {
  await accept('msg_a')
  expect(await stored()).not.toContain(MARKER)
  const bodies: string[] = []
  queue.work({
    handle: async (batch) => {
      bodies.push(...batch.map((each) => each.envelope.body))
      return batch.map(() => ({ kind: 'done' }))
    },
  })
  await until(() => bodies.length === 1)
  expect(bodies).toEqual([body])
})

test('events in clear and encrypted ones lie side by side, and one worker takes both', async () => {
  await acceptWith(NONE, 'msg_clear')
  await acceptWith(onlyA, 'msg_sealed')
  expect(await job('msg_clear')).toMatchObject({ data: expect.stringContaining(MARKER) })
  const worker = queue.work()
  await until(() => worker.seen.handled.flat().length === 2)
  expect(worker.seen.dead).toEqual([])
})

test('a worker that lacks the key tries again for as long as it may, then keeps a dead letter that names the key', async () => {
  await accept('msg_a')
  const worker = queue.work({ keys: onlyB, profile: retryingAfter(1) })
  await until(async () => (await queue.deadLetters.find('msg_a')) !== null)
  expect(worker.seen.retried).toHaveLength(7)
  expect(worker.seen.handled).toEqual([])
  expect(await queue.deadLetters.find('msg_a')).toMatchObject({
    reason: { class: 'unknown', code: 'envelope_key_missing', message: expect.stringContaining('the key A') },
    attempts: 8,
    objectId: 'user_1',
  })
})

test('a worker that lacks the key keeps nothing from one that has it', async () => {
  await accept('msg_a')
  const blind = queue.work({ keys: NONE, profile: retryingAfter(300) })
  await until(() => blind.seen.retried.length > 0)
  await blind[Symbol.asyncDispose]()
  const seeing = queue.work()
  await until(() => seeing.seen.handled.flat().includes('msg_a'))
  expect(blind.seen.dead).toEqual([])
})

test('a body that was changed, or moved into another event’s place, is poison at once', async () => {
  await accept('msg_a')
  await accept('msg_b')
  const { key } = queue.partition
  const changed = String((await job('msg_a'))['data']).replace(/.{4}"}$/, 'AAAA"}')
  await queue.redis.hset(key('msg_a'), 'data', changed)
  await accept('msg_c')
  await queue.redis.hset(key('msg_b'), 'data', (await job('msg_c'))['data'] ?? '')
  const worker = queue.work()
  await until(() => worker.seen.dead.length === 2 && worker.seen.handled.flat().includes('msg_c'))
  const codes = worker.seen.dead.map(({ id, failure }) => [id, failure.class, failure.code])
  expect(codes.sort()).toEqual(['msg_a', 'msg_b'].map((id) => [id, 'poison', 'envelope_not_authentic']))
})

test.each([
  ['without any key', NONE],
  ['with another key', onlyB],
])('an operator %s lists, finds, replays and discards, and is told which key opens a body', async (_name, keys) => {
  await deadLettered(queue, [
    { id: 'msg_a', reason: 'unknown/handler_threw: x', body },
    { id: 'msg_b', reason: 'unknown/handler_threw: x', body, objectId: 'user_2' },
  ])
  using deadLetters: DeadLetters = await openDeadLetters(target, [queue.partition], keys)
  const listed = []
  for await (const deadLetter of deadLetters.list()) listed.push(deadLetter)
  expect(listed).toMatchObject([
    { id: 'msg_a', objectId: 'user_1', source: 'clerk' },
    { id: 'msg_b', objectId: 'user_2' },
  ])
  const closed = { objectId: 'user_1', body: { keyId: 'A', fault: 'key-missing' } }
  expect(await deadLetters.find('msg_a')).toMatchObject({ envelope: closed })
  using view = await openQueueView(target, [queue.partition], keys)
  expect(await view.find('msg_a')).toMatchObject({ where: 'dead', envelope: closed })
  expect(await deadLetters.discard('msg_b')).toBe(true)
  expect(await deadLetters.replay('msg_a')).toBe(true)
  const worker = queue.work()
  await until(() => worker.seen.handled.flat().includes('msg_a'))
})

test('a dead letter that was sealed with an older key is replayed, and revived by a redelivery under the new one', async () => {
  await deadLettered(queue, [
    { id: 'msg_replayed', reason: 'unknown/handler_threw: x', body },
    { id: 'msg_revived', reason: 'unknown/handler_threw: x', body },
  ])
  expect(await acceptWith(bThenA, 'msg_revived')).toEqual({ kind: 'accepted', how: 'revived' })
  const newest = queue.work({ keys: onlyB })
  await until(() => newest.seen.handled.flat().includes('msg_revived'))
  await newest[Symbol.asyncDispose]()
  await queue.deadLetters.replay('msg_replayed')
  const both = queue.work({ keys: bThenA })
  await until(() => both.seen.handled.flat().includes('msg_replayed'))
})

test('a dead letter that another program had put there under another name is revived as the event that came', async () => {
  await using stock = openStockQueue(queue)
  await stock.add('something.else', {}, { jobId: 'msg_a' })
  const first = queue.work()
  await until(() => first.seen.dead.length === 1)
  await first[Symbol.asyncDispose]()
  expect(await accept('msg_a')).toEqual({ kind: 'accepted', how: 'revived' })
  const worker = queue.work()
  await until(() => worker.seen.handled.flat().includes('msg_a'))
  expect(worker.seen.dead).toEqual([])
})

test('tools for BullMQ are shown a body as redacted where the key is there, and else only which key it is', async () => {
  await accept('msg_a')
  const shown = async (keys: EnvelopeKeys) => {
    await using browser = openQueueBrowser(target, [queue.partition], (text) => text.length, keys)
    const [events] = await browser.queues()
    return (await events?.getJob('msg_a'))?.data.body
  }
  expect(await shown(onlyA)).toBe(body.length)
  expect(await shown(NONE)).toEqual({ encryptedWith: 'A' })
})
