import { type Mirror, openMirror, type Reactions } from '@clerk-mirror/mirror'
import {
  openReactionProducer,
  type Partition,
  parseRedisUrl,
  type ReactionProducer,
  reactionPartition,
} from '@clerk-mirror/queue/enqueue'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { openRelay, type Relay, type RelayOptions } from '../../../apps/worker/src/reaction-runtime/relay.js'
import { userCreated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

let database: TestDatabase
let mirror: Mirror
let queue: TestQueue
let producer: ReactionProducer
let recorder: Partition
let wants: string[]
const relays: Relay[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  const reactions: Reactions = {
    interests: () => ({ to: () => wants, wantUpdatesOf: () => true }),
    areCurrent: async () => true,
    onRequested: () => {},
  }
  mirror = openMirror(database.options, { reactions })
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  wants = ['recorder']
  queue = await openTestQueue()
  recorder = reactionPartition(queue.partition, 'recorder')
  producer = openReactionProducer(parseRedisUrl(inject('redisUrl')), queue.partition, ['recorder'])
  await until(() => producer.room(recorder).then(() => true))
})
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay[Symbol.asyncDispose]()))
  producer[Symbol.dispose]()
  await queue[Symbol.asyncDispose]()
  await database.query('DELETE FROM reaction_outbox')
})

let people = 0
async function signUp(count: number): Promise<void> {
  await mirror.apply(Array.from({ length: count }, () => userCreated(`user_${people++}`, { at: 1 })))
}

const quiet = { enqueued: () => {}, halted: () => {}, resumed: () => {} }

function relay(options: Partial<RelayOptions> = {}): Relay {
  const partitions = new Map([['recorder', recorder]])
  const opened = openRelay({
    mirror,
    producer,
    partitions,
    isSaturated: () => false,
    permit: async () => {},
    observer: quiet,
    ...options,
  })
  relays.push(opened)
  return opened
}

const waiting = (partition = recorder) => queue.redis.lrange(partition.key('wait'), 0, -1)
const inOutbox = async () => (await mirror.outbox('recorder', 10_000)).length

test('what was asked for comes into the queue, each change once, and leaves the outbox', async () => {
  await signUp(600)
  relay()
  await until(async () => (await inOutbox()) === 0)
  const jobs = await waiting()
  expect(new Set(jobs).size).toBe(600)
  expect(jobs).toHaveLength(600)
  expect(jobs.every((id) => /^x_[\w-]{43}$/.test(id))).toBe(true)
})

test('a change wakes the relay of its worker, which need not look for it', async () => {
  const woken = relay({ mirror: { ...mirror, outboxReactions: async () => [] } })
  await signUp(1)
  expect(await waiting()).toEqual([])
  woken.wake(['recorder'])
  await until(async () => (await waiting()).length === 1)
})

/** Dies at this step: all steps before it stay done. */
type Line = 'before the read' | 'before the jobs' | 'before the rows are removed' | 'after all'
const LINES: Line[] = ['before the read', 'before the jobs', 'before the rows are removed', 'after all']

test.each(LINES)('a relay that dies %s leaves each change to another, under the same id', async (line) => {
  await signUp(5)
  using own = openReactionProducer(parseRedisUrl(inject('redisUrl')), queue.partition, ['recorder'])
  await until(() => own.room(recorder).then(() => true))
  const dead = new Promise<never>(() => {})
  let isDead = () => {}
  const died = new Promise<void>((resolve) => {
    isDead = resolve
  })
  const die = () => {
    isDead()
    return dead
  }
  const at =
    <T extends unknown[], R>(here: Line, step: (...args: T) => Promise<R>) =>
    (...args: T): Promise<R> =>
      line === here ? die() : step(...args)
  const lost: RelayOptions = {
    mirror: {
      ...mirror,
      outbox: at('before the read', mirror.outbox),
      removeFromOutbox: at('before the rows are removed', mirror.removeFromOutbox),
    },
    producer: { ...own, enqueue: at('before the jobs', own.enqueue) },
    partitions: new Map([['recorder', recorder]]),
    permit: async () => {},
    isSaturated: () => false,
    observer: { ...quiet, enqueued: () => void (line === 'after all' && isDead()) },
  }
  openRelay(lost) // never disposed of: it is dead
  await died
  // Another has its turn when that of the dead one has run out; once is enough to wait for it.
  if (line !== 'before the rows are removed') await queue.redis.del(recorder.key('clerk-mirror:relay'))
  relay()
  await until(async () => (await waiting()).length === 5 && (await inOutbox()) === 0, 150_000)
  expect(new Set(await waiting()).size).toBe(5)
})

test('several relays side by side hand each change over once', async () => {
  const handed: number[] = []
  const observer = { ...quiet, enqueued: (_: string, jobs: number) => void handed.push(jobs) }
  const others = Array.from({ length: 3 }, () =>
    openReactionProducer(parseRedisUrl(inject('redisUrl')), queue.partition, ['recorder']),
  )
  await signUp(900)
  for (const own of others) relay({ producer: own, observer }).wake(['recorder'])
  await until(async () => (await inOutbox()) === 0)
  await until(() => handed.reduce((sum, jobs) => sum + jobs, 0) >= 900)
  expect(handed.reduce((sum, jobs) => sum + jobs, 0)).toBe(900)
  for (const own of others) own[Symbol.dispose]()
})

test('a reaction whose queue is full leaves its rows in the database, and others theirs not', async () => {
  wants = ['recorder', 'slow']
  const slow = reactionPartition(queue.partition, 'slow')
  const partitions = new Map([
    ['recorder', recorder],
    ['slow', slow],
  ])
  await signUp(4)
  relay({
    partitions,
    producer: { ...producer, room: async (place) => ({ waiting: 0, room: place === slow ? 0 : 3 }) },
  })
  await until(async () => (await inOutbox()) === 0)
  expect(await waiting()).toHaveLength(4)
  expect(await waiting(slow)).toEqual([])
  expect(await mirror.outbox('slow', 10)).toHaveLength(4)
})

test('while events wait, no more is handed over than runs can begin with, and more when those have begun', async () => {
  await signUp(600)
  let isBusy = true
  let looks = 0
  const room: ReactionProducer['room'] = (place) => {
    looks += 1
    return producer.room(place)
  }
  const busy = relay({ isSaturated: () => isBusy, producer: { ...producer, room } })
  const lookAgain = () => {
    const enough = looks + 2
    return until(() => {
      busy.wake(['recorder'])
      return looks >= enough
    })
  }
  await until(async () => (await inOutbox()) < 600)
  const first = (await waiting()).length
  await lookAgain()
  expect(await waiting()).toHaveLength(first)
  expect(await inOutbox()).toBe(600 - first)
  await queue.redis.del(recorder.key('wait')) // as if they had begun
  await lookAgain()
  await until(async () => (await waiting()).length > 0)
  expect(await inOutbox()).toBeGreaterThan(0)
  isBusy = false
  await until(async () => (await inOutbox()) === 0)
})

test('while Redis does not answer the rows stay, and go over when it does', async () => {
  const said: string[] = []
  let isAway = true
  const away = async (place: Partition) => {
    if (isAway) throw new Error('away')
    return producer.room(place)
  }
  await signUp(3)
  relay({
    producer: { ...producer, room: away },
    observer: { ...quiet, halted: () => void said.push('halted'), resumed: () => void said.push('goes on') },
  })
  await until(() => said.length === 1)
  expect(await inOutbox()).toBe(3)
  isAway = false
  await until(async () => (await inOutbox()) === 0)
  await until(() => said.length === 2)
  expect(said).toEqual(['halted', 'goes on'])
})
