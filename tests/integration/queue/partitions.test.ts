import { Failure } from '@clerk-mirror/events'
import { type Delivery, parseRedisUrl } from '@clerk-mirror/queue/consume'
import { openStoredEvents } from '@clerk-mirror/queue/operate'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { indexOf } from '../../../packages/queue/src/partitions.js'
import { eventsOf, type Family, idsOf, openFamily } from '../../support/queue/partitions.js'
import { done, envelope } from '../../support/queue/queue.js'
import { collect, latch, until } from '../../support/until.js'

const poison = async (batch: readonly Delivery[]) =>
  batch.map(() => ({ kind: 'failed' as const, failure: new Failure('poison', 'malformed', 'data.id is not a string') }))

let family: Family
beforeEach(async () => {
  family = await openFamily()
})
afterEach(() => family[Symbol.asyncDispose]())

const acceptAll = (producer: Awaited<ReturnType<Family['producer']>>, events: ReturnType<typeof eventsOf>) =>
  Promise.all(events.map((event) => until(async () => (await producer.enqueue(event)).kind === 'accepted')))
const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
/** A user with events in these partitions, by the number of partitions. */
function personIn(homes: Readonly<Record<number, number>>): string {
  const names = Array.from({ length: 1000 }, (_, number) => `user_${number}`)
  return names.find((id) => Object.entries(homes).every(([count, home]) => indexOf(id, Number(count)) === home)) ?? ''
}

describe('events', () => {
  test('are spread over the partitions, those of one object in one of them, and all are handled', async () => {
    const producer = await family.producer(4)
    const events = eventsOf(200)
    await acceptAll(producer, events)
    const sizes = await family.sizes(4, 'wait')
    expect(sum(sizes)).toBe(200)
    for (const size of sizes) expect(size).toBeGreaterThan(20)
    const again = Array.from({ length: 20 }, (_, index) => envelope(`msg_again${index}`, { objectId: 'user_7' }))
    await acceptAll(producer, again)
    const grown = (await family.sizes(4, 'wait')).filter((size, index) => size !== sizes[index])
    expect(grown).toEqual([(sizes[indexOf('user_7', 4)] ?? 0) + 20])
    const worker = family.work()
    await until(() => worker.handled.length === 220)
    expect([...worker.handled].sort()).toEqual(idsOf([...events, ...again]))
  })

  test('are handled while the number of partitions goes up and down, with old ingest processes beside new ones', async () => {
    const worker = family.work()
    const events = eventsOf(400)
    const one = await family.producer(1)
    await acceptAll(one, events.slice(0, 100))
    const four = await family.producer(4)
    await Promise.all([acceptAll(one, events.slice(100, 150)), acceptAll(four, events.slice(150, 300))])
    const two = await family.producer(2)
    await Promise.all([acceptAll(four, events.slice(300, 350)), acceptAll(two, events.slice(350))])
    await until(() => worker.handled.length === 400)
    expect([...worker.handled].sort()).toEqual(idsOf(events))
    expect(family.served()).toBe(4)
  })

  test('of all partitions share what one worker has in hand, in equal parts', async () => {
    const producer = await family.producer(4)
    await acceptAll(producer, eventsOf(600))
    await until(() => family.served() === 4)
    const gate = latch()
    const worker = family.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
    await until(() => worker.inFlight() === 256)
    expect(await family.sizes(4, 'active')).toEqual([64, 64, 64, 64])
    gate.open()
    await until(() => worker.handled.length === 600)
  })

  test('of a partition that comes while the breaker is open wait until it is closed', async () => {
    const one = await family.producer(1)
    let isDown = true
    const outage = () => new Failure('outage', 'mysql_1290', 'read-only')
    const worker = family.work({
      probe: async () => {
        if (isDown) throw outage()
      },
      handle: async (batch) => {
        if (isDown) throw outage()
        return batch.map(() => done)
      },
    })
    await acceptAll(one, eventsOf(1))
    await until(() => worker.breaker().kind === 'open')
    const two = await family.producer(2)
    await acceptAll(two, [envelope('msg_new', { objectId: personIn({ 2: 1 }) })])
    await until(() => family.served() === 2)
    // Twice the time in which a worker that is not paused would have taken it.
    await new Promise((resolve) => setTimeout(resolve, 4000))
    expect(worker.inFlight()).toBe(0)
    isDown = false
    await until(() => worker.handled.includes('msg_new'))
  })
})

test('a backlog of one partition alone is one too, although the worker has room for those of the others', async () => {
  const producer = await family.producer(4)
  const ada = personIn({ 4: 2 })
  await acceptAll(
    producer,
    Array.from({ length: 100 }, (_, index) => envelope(`msg_ada${index}`, { objectId: ada })),
  )
  await until(() => family.served() === 4)
  const gate = latch()
  const worker = family.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
  await until(() => worker.inFlight() === 64)
  expect(worker.isSaturated()).toBe(true)
  gate.open()
  await until(() => worker.handled.length === 100)
  await until(() => !worker.isSaturated())
})

describe('a dead letter in a partition where its events do not go any more', () => {
  /** Dead in partition 0, where one producer put it; its home is partition 2 of 4 now. */
  async function deadLetterElsewhere() {
    const objectId = personIn({ 4: 2 })
    const one = await family.producer(1)
    const worker = family.work({ handle: poison })
    await one.enqueue(envelope('msg_a', { objectId, receivedAtMs: 1000 }))
    await until(async () => sum(await family.sizes(1, 'failed')) === 1)
    await worker[Symbol.asyncDispose]()
    return { resent: envelope('msg_a', { objectId, receivedAtMs: 2000, body: '{"type":"user.created","data":{}}' }) }
  }

  test('is revived where it lies when Clerk sends it again, with the fresh body and the first time of receipt', async () => {
    const { resent } = await deadLetterElsewhere()
    const four = await family.producer(4)
    expect(await four.enqueue(resent)).toEqual({ kind: 'accepted', how: 'revived' })
    expect(await four.enqueue(resent)).toEqual({ kind: 'accepted', how: 'duplicate' })
    expect([await family.sizes(4, 'wait'), await family.sizes(4, 'failed')]).toEqual([
      [1, 0, 0, 0],
      [0, 0, 0, 0],
    ])
    expect(await family.redis.hgetall(family.key(0, 'msg_a'))).toMatchObject({ timestamp: '1000' })
    const taken: Delivery[] = []
    family.work({
      handle: async (batch) => {
        taken.push(...batch)
        return batch.map(() => done)
      },
    })
    await until(() => taken.length === 1)
    expect(taken).toEqual([{ envelope: { ...resent, receivedAtMs: 1000 }, attempt: 1 }])
  })

  test.each(['discarded', 'replayed'] as const)(
    'may be %s in that moment: after a 202 the event is live',
    async (how) => {
      const { resent } = await deadLetterElsewhere()
      const four = await family.producer(4)
      await until(() => family.served() === 4)
      const move = () =>
        how === 'discarded' ? family.deadLetters.discard('msg_a') : family.deadLetters.replay('msg_a')
      for (let round = 0; round < 20; round += 1) {
        const [accepted] = await Promise.all([four.enqueue(resent), move(), move()])
        expect(accepted.kind).toBe('accepted')
        expect(sum(await family.sizes(4, 'wait'))).toBeGreaterThan(0)
        expect(sum(await family.sizes(4, 'failed'))).toBe(0)
        await bury('msg_a')
      }
    },
  )

  /** A dead letter in partition 0 again, and nothing else anywhere. */
  async function bury(id: string) {
    const { redis, key } = family
    const job = await redis.hgetall(key(0, id))
    for (let index = 0; index < 4; index += 1) await redis.del(key(index, 'wait'), key(index, id))
    await redis.hset(key(0, id), Object.keys(job).length > 0 ? job : { name: 'user.created', data: '{}', timestamp: 1 })
    await redis.zadd(key(0, 'failed'), 1, id)
  }

  test('does not keep its event from being stored when its partition does not answer', async () => {
    const { resent } = await deadLetterElsewhere()
    const four = await family.producer(4)
    // The list of dead letters is of another type now: every question to it fails.
    await family.redis.set(family.key(0, 'failed'), 'x')
    expect(await four.enqueue({ ...resent, eventId: 'msg_b' })).toEqual({ kind: 'accepted', how: 'added' })
    await family.redis.del(family.key(0, 'failed'))
  })
})

describe('operators', () => {
  test('are shown the dead letters of all partitions in the order of their death, each once, a page at a time', async () => {
    const producer = await family.producer(4)
    const events = eventsOf(1200)
    await acceptAll(producer, events)
    for (const [number, { eventId, objectId }] of events.entries()) {
      const index = indexOf(objectId ?? '', 4)
      // Two at a time, and now and then many in one millisecond.
      await family.redis.zadd(family.key(index, 'failed'), Math.floor(number / 2 / (number > 600 ? 50 : 1)), eventId)
    }
    await until(() => family.served() === 4)
    const listed = await collect(family.deadLetters.list())
    expect(listed.map(({ id }) => id).sort()).toEqual(idsOf(events))
    const times = listed.map(({ failedAtMs }) => failedAtMs)
    expect(times).toEqual([...times].sort((one, other) => one - other))
    const among = await family.deadLetters.among(['msg_3', 'msg_900', 'msg_1', 'msg_none'])
    expect(among.map(({ deadLetter }) => deadLetter.id).sort()).toEqual(['msg_1', 'msg_3', 'msg_900'])
  })

  test('find, replay and remove an event wherever it is, and both where two partitions have it', async () => {
    const objectId = personIn({ 2: 1, 4: 3 })
    const [two, four] = [await family.producer(2), await family.producer(4)]
    await until(() => family.served() === 4)
    await acceptAll(two, [envelope('msg_a', { objectId, body: '{"marker":"M4RK"}' })])
    await acceptAll(four, [envelope('msg_a', { objectId, body: '{"marker":"M4RK"}' })])
    for (const index of [1, 3]) {
      await family.redis.del(family.key(index, 'wait'))
      await family.redis.zadd(family.key(index, 'failed'), 1, 'msg_a')
    }
    expect(await family.deadLetters.find('msg_a')).toMatchObject({ id: 'msg_a', objectId })
    expect(await family.deadLetters.replay('msg_a')).toBe(true)
    expect([await family.sizes(4, 'wait'), await family.sizes(4, 'failed')]).toEqual([
      [0, 1, 0, 1],
      [0, 0, 0, 0],
    ])
    using stored = await openStoredEvents(parseRedisUrl(inject('redisUrl')), family.registry)
    expect((await collect(stored.containing(['M4RK']))).map(({ id }) => id)).toEqual(['msg_a', 'msg_a'])
    expect(await stored.remove('msg_a')).toBe('waiting')
    expect(await collect(stored.containing(['M4RK']))).toEqual([])
  })
})
