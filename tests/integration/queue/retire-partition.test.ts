import { partitions } from '@clerk-mirror/queue/enqueue'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { registryKeys, withPartitionScripts } from '../../../packages/queue/src/lua/partition-scripts.js'
import { indexOf } from '../../../packages/queue/src/partitions.js'
import { type Family, openFamily } from '../../support/queue/partitions.js'
import { done, envelope } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

let family: Family
beforeEach(async () => {
  family = await openFamily()
})
afterEach(() => family[Symbol.asyncDispose]())

const doorsKey = () => `{${family.name}-partitions}:clerk-mirror:doors`
const registerKey = () => `{${family.name}-partitions}:clerk-mirror:register`
/** A user with events in the second of two partitions. */
const inTheSecond = () => {
  const names = Array.from({ length: 100 }, (_, number) => `user_${number}`)
  return names.find((id) => indexOf(id, 2) === 1) ?? ''
}
const event = (id = 'msg_a') => envelope(id, { objectId: inTheSecond() })

/** As if no process had ever said that it needs a partition: those that were frozen for long look like this. */
const forgetDoors = () => family.redis.del(doorsKey())

describe('a partition is retired', () => {
  test('when it is empty and no process puts events there, and workers stop to serve it', async () => {
    const worker = family.work()
    const two = await family.producer(2)
    await two.enqueue(event())
    await until(() => worker.handled.length === 1)
    two[Symbol.dispose]()
    await until(async () => (await family.desk.list()).doors.length === 0)
    const listed = await family.desk.list()
    const row = (index: number) => ({ prefix: partitions(2, family.name)[index]?.prefix, events: 0, doors: 0 })
    expect(listed.partitions).toEqual([row(0), row(1)])
    expect(await family.desk.retire(1)).toEqual({ kind: 'retired' })
    expect((await family.desk.list()).partitions).toEqual([row(0)])
    await until(() => family.served() === 1)
    expect(await family.desk.retire(1)).toEqual({ kind: 'unknown' })
  })

  test('never when it is the first, and not before those of higher numbers', async () => {
    const four = await family.producer(4)
    four[Symbol.dispose]()
    await until(async () => (await family.desk.list()).doors.length === 0)
    expect(await family.desk.retire(0)).toEqual({ kind: 'first' })
    expect(await family.desk.retire(1)).toEqual({ kind: 'not-last', count: 4 })
    expect(await family.desk.retire(9)).toEqual({ kind: 'unknown' })
    for (const index of [3, 2, 1]) expect(await family.desk.retire(index)).toEqual({ kind: 'retired' })
  })

  test('not while a process puts events there, whatever else runs beside it', async () => {
    const [one, two] = [await family.producer(1), await family.producer(2)]
    const doors = [expect.objectContaining({ pid: process.pid, partitions: 2 })]
    expect(await family.desk.retire(1)).toEqual({ kind: 'in-use', doors })
    expect((await family.desk.list()).partitions).toMatchObject([{ doors: 2 }, { doors: 1 }])
    two[Symbol.dispose]()
    await until(async () => (await family.desk.list()).doors.length === 1)
    expect(await family.desk.retire(1)).toEqual({ kind: 'retired' })
    expect((await one.enqueue(event())).kind).toBe('accepted')
  })

  test.each(['waiting', 'running', 'to be tried again', 'dead'])('not while an event in it is %s', async (state) => {
    const two = await family.producer(2)
    await two.enqueue(event())
    const gate = latch()
    if (state === 'running') {
      const worker = family.work({ handle: (batch) => gate.opened.then(() => batch.map(() => done)) })
      await until(() => worker.inFlight() === 1)
    }
    const set = { dead: 'failed', 'to be tried again': 'delayed' }[state]
    if (set) {
      await family.redis.del(family.key(1, 'wait'))
      await family.redis.zadd(family.key(1, set), 1, 'msg_a')
    }
    await forgetDoors()
    expect(await family.desk.retire(1)).toEqual({ kind: 'not-empty', events: 1 })
    expect(await family.redis.hget(family.key(1, 'meta'), 'clerk-mirror:closed')).toBeNull()
    expect((await family.desk.list()).partitions).toMatchObject([{ events: 0 }, { events: 1 }])
    gate.open()
  })
})

describe('a process that was frozen while its partition was retired', () => {
  test('puts it on the register again before its next event is answered, and the event is handled', async () => {
    const two = await family.producer(2)
    await forgetDoors()
    expect(await family.desk.retire(1)).toEqual({ kind: 'retired' })
    expect(await two.enqueue(event())).toEqual({ kind: 'accepted', how: 'added' })
    expect((await family.desk.list()).partitions).toMatchObject([{ events: 0 }, { events: 1, doors: 1 }])
    const worker = family.work()
    await until(() => worker.handled.includes('msg_a'))
  })

  test('loses nothing, wherever in between it wakes up', async () => {
    const two = await family.producer(2)
    const worker = family.work()
    const ids = Array.from({ length: 60 }, (_, number) => `msg_${number}`)
    const retiring = async () => {
      for (let round = 0; round < 15; round += 1) {
        await forgetDoors()
        await family.desk.retire(1)
      }
    }
    const retired = retiring()
    for (const id of ids) expect((await two.enqueue(event(id))).kind).toBe('accepted')
    await retired
    await until(() => new Set(worker.handled).size === ids.length)
  })
})

test('an operator who sleeps between closing a partition and taking it off the register does no harm', async () => {
  const two = await family.producer(2)
  await family.redis.hset(registerKey(), 'retiring', 'token-of-the-sleeper')
  await family.redis.hset(family.key(1, 'meta'), 'clerk-mirror:closed', 'token-of-the-sleeper')
  expect(await two.enqueue(event())).toEqual({ kind: 'accepted', how: 'added' })
  const scripted = withPartitionScripts(family.redis)
  expect(await scripted.clerkEndRetiring(...registryKeys(family.name), 1, 'token-of-the-sleeper')).toBe(0)
  expect((await family.desk.list()).partitions).toMatchObject([{ events: 0 }, { events: 1 }])
})
