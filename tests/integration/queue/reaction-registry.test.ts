import { randomBytes } from 'node:crypto'
import {
  openReactionRegistry,
  type Partition,
  parseRedisUrl,
  partition,
  type ReactionRegistry,
  type Unaware,
} from '@clerk-mirror/queue/consume'
import { openReactionPartitions } from '@clerk-mirror/queue/operate'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { until } from '../../support/until.js'

let owned: Releasers
let redis: Redis
let events: Partition
const target = parseRedisUrl(inject('redisUrl'))
beforeEach(() => {
  owned = new Releasers()
  redis = new Redis(inject('redisUrl'))
  events = partition(`{test-${randomBytes(6).toString('hex')}}`)
  owned.defer(async () => {
    const keys = await redis.keys(`${events.prefix}*`)
    if (keys.length > 0) await redis.del(...keys)
    redis.disconnect()
  })
})
afterEach(() => owned[Symbol.asyncDispose]())

const REGISTER = () => events.key('clerk-mirror:reaction-register')
const READERS = () => events.key('clerk-mirror:reaction-readers')

type Watched = ReactionRegistry & { registered: number; acknowledged: number; unaware: Unaware[][] }

async function worker(reactions: Record<string, string[]> = {}): Promise<Watched> {
  const seen = { registered: 0, acknowledged: 0, unaware: [] as Unaware[][] }
  const register = openReactionRegistry(target, [events], new Map(Object.entries(reactions)), {
    registered: () => {
      seen.registered += 1
    },
    acknowledged: () => {
      seen.acknowledged += 1
    },
    unacknowledged: (workers) => void seen.unaware.push([...workers]),
  })
  owned.use(register)
  await register.pollUnlessCurrent()
  return Object.assign(seen, register)
}

const reactionsOf = (register: ReactionRegistry) => Object.fromEntries(register.current()?.reactions ?? [])
const knows = (register: ReactionRegistry, reactions: Record<string, string[]>) =>
  until(() => JSON.stringify(reactionsOf(register)) === JSON.stringify(reactions))

/** The last heartbeat of each reader. */
const words = async () =>
  Object.values(await redis.hgetall(READERS())).map((word) => {
    const [, saidAt, text = '{}'] = /^(\d+) (.*)$/.exec(word) ?? []
    return { saidAt, ...(JSON.parse(text) as { version: number; reactions: object }) }
  })

test('a register is the union of what all workers put there, and filters of one reaction merge', async () => {
  const none = await worker()
  await worker({ mail: ['"user.created"'] })
  await knows(none, { mail: ['"user.created"'] })
  const young = await worker({ mail: ['"user.deleted"', '"user.created"'], crm: ['"*"'] })
  const all = { mail: ['"user.created"', '"user.deleted"'], crm: ['"*"'] }
  expect(reactionsOf(young)).toEqual(all)
  await until(() => reactionsOf(none)['crm'] !== undefined)
  expect(reactionsOf(none)).toEqual(all)
})

test('a worker waits until all others have ended what they began before they knew its reaction', async () => {
  const old = await worker()
  const work = old.hold()
  const young = await worker({ mail: ['"*"'] })
  await knows(old, { mail: ['"*"'] })
  const version = young.current()?.version ?? Number.POSITIVE_INFINITY
  const said = async () => (await words()).find((word) => Object.keys(word.reactions).length === 0)
  const first = (await said())?.saidAt
  await until(async () => (await said())?.saidAt !== first)
  expect((await said())?.version).toBeLessThan(version)
  expect(young.acknowledged).toBe(0)
  work[Symbol.dispose]()
  await until(() => young.acknowledged === 1)
  expect((await said())?.version).toBe(version)
})

test('a worker that ends is waited for no longer', async () => {
  const old = await worker()
  old.hold()
  const young = await worker({ mail: ['"*"'] })
  old[Symbol.dispose]()
  await until(() => young.acknowledged === 1)
})

test('a worker of a release before the register is waited for, and named after a while', async () => {
  const former = JSON.stringify({ host: 'old', pid: 7, startedAtMs: 1, breaker: 'closed', held: 0 })
  const beat = () => redis.hset(events.key('clerk-mirror:workers'), 'former', `${Date.now()} ${former}`)
  await beat()
  const young = await worker({ mail: ['"*"'] })
  await until(async () => {
    await beat()
    return young.unaware.length > 0
  }, 40_000)
  expect(young.unaware).toEqual([[{ host: 'old', pid: 7 }]])
  expect(young.acknowledged).toBe(0)
  await redis.hdel(events.key('clerk-mirror:workers'), 'former')
  await until(() => young.acknowledged === 1)
})

test('a register that Redis loses is made anew by those who are there, and acknowledged again', async () => {
  const one = await worker({ mail: ['"*"'] })
  const other = await worker({ crm: ['"*"'] })
  await until(() => one.acknowledged === 1 && other.acknowledged === 1)
  await redis.del(REGISTER(), READERS())
  await until(() => one.registered === 2 && other.registered === 2)
  await until(() => one.acknowledged >= 2 && other.acknowledged >= 2)
  await until(() => 'mail' in reactionsOf(other) && 'crm' in reactionsOf(one))
})

test('what no living worker registers is taken away, the rest refuses or is narrowed', async () => {
  const none = await worker()
  const old = await worker({ mail: ['"user.created"', '"user.deleted"'] })
  using places = await openReactionPartitions(target, [events])
  expect(await places.unregister('nobody')).toEqual({ kind: 'unknown' })
  expect(await places.unregister('mail')).toEqual({ kind: 'registered' })
  await worker({ mail: ['"user.deleted"'] })
  expect(await places.unregister('mail')).toEqual({ kind: 'registered' })
  old[Symbol.dispose]()
  await until(async () => (await words()).length === 2)
  expect(await places.unregister('mail')).toEqual({ kind: 'narrowed', filters: ['"user.deleted"'] })
  // It returns when every worker knows.
  expect(reactionsOf(none)).toEqual({ mail: ['"user.deleted"'] })
  expect(await places.registered()).toEqual(['mail'])
})

test('while Redis does not answer, no look serves for longer than its time', async () => {
  using gone = openReactionRegistry(parseRedisUrl('redis://127.0.0.1:1'), [events], new Map(), {
    registered: () => {},
    acknowledged: () => {},
    unacknowledged: () => {},
  })
  expect([gone.isCurrent(), gone.current()]).toEqual([false, null])
})
