import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import type { ObjectNow, ReactionRequest } from '@clerk-mirror/mirror'
import {
  type Consumer,
  consume,
  type Partition,
  parseRedisUrl,
  REACTION_CONSUMER_PROFILE,
  reactionJobId,
  reactionPartition,
} from '@clerk-mirror/queue/consume'
import { openReactionProducer, type ReactionProducer } from '@clerk-mirror/queue/enqueue'
import { type DeadLetters, openDeadLetters } from '@clerk-mirror/queue/operate'
import { openLog } from '@clerk-mirror/runtime'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { reactionJob } from '../../../apps/worker/src/reaction-runtime/reaction-job.js'
import { runnerOf, TryLater } from '../../../apps/worker/src/reaction-runtime/run-reaction.js'
import type { Reaction, ReactionRun } from '../../../apps/worker/src/reactions/reaction.js'
import { openTestQueue, type TestQueue, UNOBSERVED } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

const target = () => parseRedisUrl(inject('redisUrl'))

let queue: TestQueue
let place: Partition
let producer: ReactionProducer
let deadLetters: DeadLetters
const workers: (Consumer & { stop: () => void })[] = []
let said: string[]

beforeEach(async () => {
  queue = await openTestQueue()
  place = reactionPartition(queue.partition, 'recorder')
  producer = openReactionProducer(target(), queue.partition, ['recorder'])
  deadLetters = await openDeadLetters(target(), [place])
  said = []
  await until(() => producer.room(place).then(() => true))
})
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.stop()
    await worker[Symbol.asyncDispose]()
  }
  deadLetters[Symbol.dispose]()
  producer[Symbol.dispose]()
  await queue[Symbol.asyncDispose]()
})

const asked = (objectId: string): ReactionRequest => ({
  ...{ reaction: 'recorder', what: 'created', kind: 'user', objectId, userId: objectId, organizationId: null },
  version: { updatedAtMs: 1, timestampMs: 2, eventId: `msg_${objectId}` },
  ...{ changedFields: [], askedAtMs: Date.now() },
})
const ask = (...ids: string[]) =>
  producer.enqueue(
    place,
    ids.map((id) => reactionJob(asked(id))),
  )
const idOf = (objectId: string) => reactionJobId('recorder', `msg_${objectId}`, objectId)

const now = async (id: string): Promise<ObjectNow> => ({
  ...{ id, kind: 'user', version: { updatedAtMs: 1, timestampMs: 2, eventId: 'msg_1' } },
  ...{ userId: null, organizationId: null, data: '{"first_name":"Ada"}', publicUser: null },
})

type How = { objectNow?: typeof now; timeoutMs?: number; canary?: () => Promise<void>; throttle?: () => Promise<void> }

/** A worker with this one reaction, on an object that is always there. */
function work(react: (run: ReactionRun) => Promise<void>, how: How = {}) {
  const { objectNow = now, timeoutMs, canary = async () => {}, throttle = async () => {} } = how
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const log = openLog({ app: 'test', level: 'debug', pretty: false, write: (line) => void said.push(line) })
  const reaction: Reaction = { name: 'recorder', wants: ['*'], react, ...(timeoutMs && { timeoutMs }) }
  const consumer = consume({
    target: target(),
    partitions: [place],
    handle: runnerOf(reaction, {
      ...{ objectNow, canary, throttle },
      log,
      stop: stop.signal,
      onDone: () => said.push('done'),
    }),
    probe: canary,
    observer: {
      ...UNOBSERVED,
      retrying: (_, { code, message }) => void said.push(`retrying ${code}: ${message}`),
      deadLettered: (_, { code }) => void said.push(`dead ${code}`),
    },
    profile: REACTION_CONSUMER_PROFILE,
  })
  const worker = Object.assign(consumer, { stop: () => stop.abort() })
  workers.push(worker)
  return worker
}

const delayed = async () => (await queue.redis.zrange(place.key('delayed'), '0', '-1', 'WITHSCORES')).flat()
/** BullMQ keeps the time with twelve bits below it. */
const dueInMs = async () => Number((await delayed())[1]) / 0x1000 - Date.now()

test('a run gets the object as it is, its own log and a key, and leaves nothing behind', async () => {
  const runs: ReactionRun[] = []
  work(async (run) => {
    run.log.info({ event: 'test.ran' })
    expect(await run.object()).toMatchObject({ fields: { first_name: 'Ada' } })
    runs.push(run)
  })
  await ask('user_1')
  await until(() => said.includes('done'))
  expect(runs).toMatchObject([{ attempt: 1, idempotencyKey: idOf('user_1') }])
  expect(runs[0]?.change).toMatchObject({ what: 'created', objectId: 'user_1' })
  expect(runs[0]?.change).not.toHaveProperty('reaction')
  expect(said[0]).toContain(`"reaction":"recorder","idempotencyKey":"${idOf('user_1')}"`)
  await until(async () => (await queue.redis.exists(place.key(idOf('user_1')))) === 0)
})

test('what a reaction throws is tried again in some seconds, under its code and without its words', async () => {
  work(async () => {
    throw new TypeError('ada@example.com')
  })
  await ask('user_1')
  await until(async () => (await delayed()).length > 0)
  expect(said).toEqual(['retrying reaction_failed: the reaction threw TypeError'])
  expect(await dueInMs()).toBeLessThanOrEqual(6_000)
  expect(JSON.stringify(await queue.redis.hgetall(place.key(idOf('user_1'))))).not.toContain('ada@example.com')
})

test('a receiver that asks for patience is left alone so long, and a try is used', async () => {
  work(async () => {
    throw new TryLater(new Failure('unknown', 'receiver_refused', 'busy'), 3_600_000)
  })
  await ask('user_1')
  await until(async () => (await delayed()).length > 0)
  expect(await dueInMs()).toBeGreaterThan(3_500_000)
  expect(await queue.redis.hget(place.key(idOf('user_1')), 'atm')).toBe('1')
})

test('the eleventh try is the last, poison has one, and both can be replayed', async () => {
  let isBroken = true
  await ask('user_1')
  await queue.redis.hset(place.key(idOf('user_1')), 'atm', 10, 'ats', 10)
  work(async ({ change }) => {
    if (!isBroken) return
    if (change.objectId === 'user_2') throw new Failure('poison', 'receiver_gone', 'nobody wants it')
    throw new Error('again')
  })
  await ask('user_2')
  await until(async () => (await queue.redis.zcard(place.key('failed'))) === 2)
  expect(said.toSorted()).toEqual(['dead reaction_failed', 'dead receiver_gone'])
  expect(await deadLetters.find(idOf('user_1'))).toMatchObject({ type: 'recorder', objectId: 'user_1', attempts: 11 })
  isBroken = false
  expect(await deadLetters.replay(idOf('user_1'))).toBe(true)
  await until(() => said.includes('done'))
})

test('a run that takes too long ends for us, and its signal says so', async () => {
  const signals: AbortSignal[] = []
  work(
    async ({ signal }) => {
      signals.push(signal)
      await pause(60_000, undefined, { ref: false })
    },
    { timeoutMs: 50 },
  )
  await ask('user_1')
  await until(() => said.length > 0)
  expect(said).toEqual(['retrying reaction_timeout: the run took longer than it may'])
  expect(signals[0]?.aborted).toBe(true)
})

test('a worker that stops gives up what runs and hands it back, with no try used', async () => {
  const begun = latch()
  const first = work(({ signal }) => {
    begun.open()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
  })
  await ask('user_1')
  await begun.opened
  first.stop()
  await first[Symbol.asyncDispose]()
  expect(await queue.redis.lrange(place.key('wait'), 0, -1)).toEqual([idOf('user_1')])
  const attempts: number[] = []
  work(async ({ attempt }) => void attempts.push(attempt))
  await until(() => attempts.length === 1)
  expect(attempts).toEqual([1])
  expect(said).not.toContainEqual(expect.stringContaining('retrying'))
})

test('while the database is away runs wait, and no try is used', async () => {
  let isAway = true
  const away = async () => {
    if (isAway) throw new Failure('outage', 'mysql_1290', 'read-only')
  }
  const worker = work(async ({ object }) => void (await object().catch(() => Promise.reject(new Error('hidden')))), {
    objectNow: (id) => away().then(() => now(id)),
    canary: away,
  })
  await ask('user_1', 'user_2')
  await until(() => worker.breaker().kind === 'open')
  isAway = false
  await until(() => said.filter((line) => line === 'done').length === 2)
  expect(said).toEqual(['done', 'done'])
})

test('more runs at once than a worker may have wait in Redis', async () => {
  let most = 0
  let running = 0
  const gate = latch()
  work(async () => {
    running += 1
    most = Math.max(most, running)
    await gate.opened
    running -= 1
  })
  const ids = Array.from({ length: 2 * REACTION_CONSUMER_PROFILE.inFlight }, (_, index) => `user_${index}`)
  await ask(...ids)
  await until(() => running === REACTION_CONSUMER_PROFILE.batchConcurrency)
  expect(await queue.redis.llen(place.key('wait'))).toBe(REACTION_CONSUMER_PROFILE.inFlight)
  gate.open()
  await until(() => said.length === ids.length)
  expect(most).toBe(REACTION_CONSUMER_PROFILE.batchConcurrency)
})

test('a run that waits for its turn has all of its time, and goes back when the worker stops meanwhile', async () => {
  const gate = latch()
  const worker = work(async () => {}, { throttle: () => gate.opened, timeoutMs: 50 })
  await ask('user_1')
  await until(() => worker.inFlight() === 1)
  await pause(100)
  expect(said).toEqual([])
  worker.stop()
  gate.open()
  await until(async () => (await queue.redis.llen(place.key('wait'))) === 1)
  expect(said).toEqual([])
  work(async () => {}, { timeoutMs: 5_000 })
  await until(() => said.length === 1)
  expect(said).toEqual(['done'])
})

test('what no relay wrote is a dead letter at once', async () => {
  work(async () => {})
  await producer.enqueue(place, [{ ...reactionJob(asked('user_1')), body: '{"made":"up"}' }])
  await until(async () => (await deadLetters.find(idOf('user_1'))) !== null)
  expect(said).toEqual(['dead reaction_unreadable'])
})
