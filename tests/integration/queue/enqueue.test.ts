import { openFaultProxy } from '@clerk-mirror/devstack'
import { Failure } from '@clerk-mirror/events'
import { openProducer, parseRedisUrl } from '@clerk-mirror/queue/enqueue'
import { expect, inject, test } from 'vitest'
import { done, envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { collect, latch, until } from '../../support/until.js'

const poison = async (batch: readonly unknown[]) =>
  batch.map(() => ({ kind: 'failed' as const, failure: new Failure('poison', 'malformed', 'data.id is not a string') }))

const stateOf = async ({ redis, partition }: TestQueue, id: string) => ({
  waiting: (await redis.lrange(partition.key('wait'), 0, -1)).filter((member) => member === id).length,
  dead: (await redis.zscore(partition.key('failed'), id)) !== null,
  stored: (await redis.exists(partition.key(id))) === 1,
})

async function killed(queue: TestQueue, id: string, changes = {}): Promise<void> {
  const worker = queue.work({ handle: poison })
  await queue.producer.enqueue(envelope(id, changes))
  await until(async () => (await stateOf(queue, id)).dead)
  await worker[Symbol.asyncDispose]()
}

test('an event is stored once, however often it is delivered while it waits', async () => {
  await using queue = await openTestQueue()
  const answers = [await queue.producer.enqueue(envelope('msg_a')), await queue.producer.enqueue(envelope('msg_a'))]
  expect(answers).toEqual([
    { kind: 'accepted', how: 'added' },
    { kind: 'accepted', how: 'duplicate' },
  ])
  expect(await stateOf(queue, 'msg_a')).toEqual({ waiting: 1, dead: false, stored: true })
})

test('an event that is delivered again while it runs is dropped, and afterwards stored anew', async () => {
  await using queue = await openTestQueue()
  const finish = latch()
  const worker = queue.work({ handle: (batch) => finish.opened.then(() => batch.map(() => done)) })
  await queue.producer.enqueue(envelope('msg_a'))
  await until(() => worker.seen.handled.length === 1)
  expect(await queue.producer.enqueue(envelope('msg_a'))).toEqual({ kind: 'accepted', how: 'duplicate' })
  finish.open()
  await until(async () => !(await stateOf(queue, 'msg_a')).stored)
  await worker[Symbol.asyncDispose]()
  expect(await queue.producer.enqueue(envelope('msg_a'))).toEqual({ kind: 'accepted', how: 'added' })
})

test('a dead letter that is delivered again is revived with the fresh body and the first receive time', async () => {
  await using queue = await openTestQueue()
  await killed(queue, 'msg_a', { receivedAtMs: 1000 })
  const resent = envelope('msg_a', { receivedAtMs: 2000, body: '{"type":"user.created","data":{"id":"user_2"}}' })
  expect(await queue.producer.enqueue(resent)).toEqual({ kind: 'accepted', how: 'revived' })
  expect(await stateOf(queue, 'msg_a')).toEqual({ waiting: 1, dead: false, stored: true })
  const taken: unknown[] = []
  queue.work({
    handle: async (batch) => {
      taken.push(...batch)
      return batch.map(() => done)
    },
  })
  await until(() => taken.length === 1)
  expect(taken).toEqual([{ envelope: { ...resent, receivedAtMs: 1000 }, attempt: 1 }])
})

test('a dead letter is found with its reason, replayed once, and dead again for the same cause', async () => {
  await using queue = await openTestQueue()
  await killed(queue, 'msg_a', { receivedAtMs: 1000 })
  const deadLetter = { id: 'msg_a', type: 'user.created', objectId: 'user_1', attempts: 1, receivedAtMs: 1000 }
  const reason = { class: 'poison', code: 'malformed', message: 'data.id is not a string' }
  const listed = await collect(queue.deadLetters.list())
  expect(listed).toMatchObject([{ ...deadLetter, reason }])
  expect(await queue.deadLetters.find('msg_a')).toMatchObject({ ...deadLetter, reason, envelope: { eventId: 'msg_a' } })
  expect([await queue.deadLetters.replay('msg_a'), await queue.deadLetters.replay('msg_a')]).toEqual([true, false])
  const worker = queue.work({ handle: poison })
  await until(() => worker.seen.dead.length === 1)
  await until(async () => (await queue.deadLetters.find('msg_a')) !== null)
  const again = await queue.deadLetters.find('msg_a')
  expect(again).toMatchObject({ ...deadLetter, reason })
  expect(again?.reason.fingerprint).toBe(listed[0]?.reason.fingerprint)
})

test('of a revive and replays that race for one dead letter exactly one puts it back, and each answer is true', async () => {
  await using queue = await openTestQueue()
  for (const id of ['msg_a', 'msg_b', 'msg_c']) {
    await killed(queue, id)
    const [accepted, ...replays] = await Promise.all([
      queue.producer.enqueue(envelope(id)),
      queue.deadLetters.replay(id),
      queue.deadLetters.replay(id),
    ])
    expect(accepted?.kind).toBe('accepted')
    const revived = accepted.kind === 'accepted' && accepted.how === 'revived'
    expect([revived, ...replays].filter(Boolean)).toHaveLength(1)
    expect(await stateOf(queue, id)).toEqual({ waiting: 1, dead: false, stored: true })
    await queue.redis.del(queue.partition.key('wait'))
  }
})

test('the notes that a late worker leaves of a finished event do not swallow its next delivery', async () => {
  await using queue = await openTestQueue()
  await queue.redis.hset(queue.partition.key('msg_a'), 'ats', 1)
  expect(await queue.producer.enqueue(envelope('msg_a'))).toEqual({ kind: 'accepted', how: 'added' })
})

test('every dead letter is listed exactly once, with many in the same millisecond', async () => {
  await using queue = await openTestQueue()
  const ids = Array.from({ length: 450 }, (_, index) => `msg_${String(index).padStart(4, '0')}`)
  await Promise.all(ids.map((id) => queue.producer.enqueue(envelope(id))))
  await queue.redis.del(queue.partition.key('wait'))
  // Two milliseconds only, so that pages end in the middle of one.
  await queue.redis.zadd(queue.partition.key('failed'), ...ids.flatMap((id, index) => [index < 300 ? 1000 : 1001, id]))
  const listed = (await collect(queue.deadLetters.list())).map((deadLetter) => deadLetter.id)
  expect(listed).toEqual(ids)
})

test.each([
  ['redis://localhost', { nodes: [{ host: 'localhost', port: 6379 }], tls: false, database: 0 }],
  ['rediss://u:p%40ss@cache.example:6380/2', { tls: true, username: 'u', password: 'p@ss', database: 2 }],
  ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
  [
    'redis://:pw@a:1, b:2,c',
    {
      password: 'pw',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: 'c', port: 6379 },
      ],
    },
  ],
])('the Redis URL %s is understood', (url, expected) => {
  expect(parseRedisUrl(url)).toMatchObject(expected)
})

test.each(['', 'localhost:6379', 'http://secret@host', 'redis://', 'redis://secret@host/db', 'redis://a:secret@b/1,c'])(
  'the Redis URL %s is refused without being shown',
  (url) => {
    expect(() => parseRedisUrl(url)).toThrow()
    expect(() => parseRedisUrl(url)).not.toThrow(/secret/)
  },
)

test('a producer whose connection is dead without a word refuses, notices, and takes events again', async () => {
  await using queue = await openTestQueue()
  const url = new URL(inject('redisUrl'))
  await using proxy = await openFaultProxy({ targetPort: Number(url.port) })
  url.port = String(proxy.port)
  using producer = openProducer(parseRedisUrl(url.href), [queue.partition], {
    redisLost: () => {},
    redisBack: () => {},
  })
  const isTaken = async () => (await producer.enqueue(envelope('msg_a'))).kind === 'accepted'
  await until(isTaken)
  proxy.halfOpen()
  expect(await producer.enqueue(envelope('msg_b'))).toMatchObject({ kind: 'refused', code: 'redis_unavailable' })
  proxy.pass()
  await until(isTaken, 10 * 5_000)
})
