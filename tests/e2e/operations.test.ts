import { type Operations, openOperations } from '@clerk-mirror/operations'
import { parseRedisUrl, partition } from '@clerk-mirror/queue/enqueue'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { until } from '../support/until.js'
import { openWorld, type World } from '../support/world.js'

let world: World
let operations: Operations

beforeAll(async () => {
  world = await openWorld()
  const own = partition(world.key('').replace(/:clerk-events:$/, ''))
  const redis = parseRedisUrl(inject('redisUrl'))
  operations = await openOperations({ redis, partitions: [own], database: world.database.options })
})
afterAll(async () => {
  await operations[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

const at = (ms: number) => 1_750_000_000_000 + ms
const user = (id: string, ms: number, username: string) =>
  clerkEvent('user.updated', clerkUser(id, at(ms), { username }), at(ms))

/** Sends the event while the database refuses users of this name: a dead letter, by its id. */
async function refusing(username: string, event: object): Promise<string> {
  await world.database.query(`ALTER TABLE users ADD CONSTRAINT refused CHECK (username <> '${username}')`)
  const { id } = await world.send(event)
  await world.settled()
  await world.database.query('ALTER TABLE users DROP CONSTRAINT refused')
  return id
}

test('replaying an old event never undoes newer state', async () => {
  const ada = clerkId('user')
  await refusing('old-ada', user(ada, 1000, 'old-ada'))
  await world.send(user(ada, 2000, 'new-ada'))
  await world.settled()
  const result = await operations.deadLetters.replay({ objectId: ada }, { actor: 'ada' })
  expect(result).toEqual({ matched: 1, replayed: 1, skipped: 0 })
  await until(async () => (await outcomesOf(ada)).length === 2)
  expect(await outcomesOf(ada)).toEqual(['applied', 'stale'])
  expect(await world.database.query('SELECT username FROM users WHERE clerk_id = ?', [ada])).toEqual([
    { username: 'new-ada' },
  ])
})

async function outcomesOf(objectId: string): Promise<string[]> {
  const sql = 'SELECT outcome FROM webhook_events WHERE object_id = ? ORDER BY outcome'
  return (await world.database.query<{ outcome: string }>(sql, [objectId])).map(({ outcome }) => outcome)
}

test('a dead letter that Clerk sends again, and that is applied now, disappears from the list', async () => {
  const ada = clerkId('user')
  const event = user(ada, 1000, 'refused-ada')
  const id = await refusing('refused-ada', event)
  expect((await operations.deadLetters.page({ objectId: ada }, { limit: 9 })).items).toMatchObject([{ id }])
  await world.send(event, { id })
  await until(async () => (await outcomesOf(ada)).includes('applied'))
  expect((await operations.deadLetters.page({ objectId: ada }, { limit: 9 })).items).toEqual([])
})

test('an event is traced through queue, ledger and what is stored', async () => {
  const ada = clerkId('user')
  const { id: first } = await world.send(user(ada, 1000, 'ada'))
  await world.settled()
  const { id: second } = await world.send(user(ada, 2000, 'ada'))
  await world.settled()
  expect(await operations.trace(second)).toMatchObject({
    kind: 'event',
    type: 'user.updated',
    objectId: ada,
    where: 'decided',
    outcome: 'applied',
    attempts: 1,
    lagMs: expect.any(Number),
    version: { updatedAtMs: at(2000), eventId: second },
    comparison: 'is-stored',
    steps: [{ kind: 'received' }, { kind: 'decided', outcome: 'applied' }],
  })
  expect(await operations.trace(first)).toMatchObject({ outcome: 'applied', version: null, comparison: 'older' })
  expect(await operations.trace('msg_nobody')).toBeNull()
})

test('the trace of a dead letter says why, when it is replayed by whom, and how its version compares', async () => {
  const ada = clerkId('user')
  await world.send(user(ada, 2000, 'ada'))
  await world.settled()
  const id = await refusing('dead-ada', user(ada, 3000, 'dead-ada'))
  expect(await operations.trace(id)).toMatchObject({
    where: 'dead',
    outcome: null,
    reason: { class: 'poison' },
    version: { updatedAtMs: at(3000) },
    storedVersion: { updatedAtMs: at(2000) },
    comparison: 'newer',
  })
  await operations.deadLetters.replay({ ids: [id] }, { actor: 'grace' })
  await until(async () => (await outcomesOf(ada)).length === 2)
  const trace = await operations.trace(id)
  expect(trace?.steps.map(({ kind }) => kind).sort()).toEqual(['decided', 'operator', 'received'])
  expect(trace?.steps).toContainEqual(expect.objectContaining({ kind: 'operator', actor: 'grace', action: 'replay' }))
})

test('a user is traced from their object row, with the events that were decided and those in the queue', async () => {
  const ada = clerkId('user')
  const { id: first } = await world.send(user(ada, 1000, 'ada'))
  await world.settled()
  const dead = await refusing('ada-x', user(ada, 2000, 'ada-x'))
  expect(await operations.trace(ada)).toMatchObject({
    kind: 'object',
    objectKind: 'user',
    state: 'stored',
    version: { updatedAtMs: at(1000), eventId: first },
    events: [{ id: first, outcome: 'applied' }],
    queued: [{ id: dead, where: 'dead' }],
    isQueueSearched: true,
  })
  await world.send(clerkEvent('user.deleted', { id: ada, deleted: true, object: 'user' }, at(3000)))
  await until(async () => (await outcomesOf(ada)).length === 2)
  expect(await operations.trace(ada)).toMatchObject({ state: 'deleted', deletedBy: 'clerk' })
  expect(await operations.trace(clerkId('user'))).toBeNull()
})

test('status and activity tell how the queue stands, who works, and what became of the last hour', async () => {
  await world.send(user(clerkId('user'), 1000, 'ada'))
  await world.send(clerkEvent('user.created', { ...clerkUser('x', 1), id: 7 }))
  await world.settled()
  const status = await operations.status()
  expect(status).toMatchObject({
    queue: { waiting: 0, active: 0, retrying: 0 },
    breaker: 'closed',
    workers: [{ pid: process.pid, breaker: 'closed', held: expect.any(Number) }],
    outcomesLastHour: { applied: expect.any(Number) },
  })
  expect(status.queue.dead).toBeGreaterThan(0)
  expect(status.deadLettersByClass.poison).toBeGreaterThan(0)
  const points = await operations.activity()
  expect(points).toHaveLength(60)
  const applied = points.reduce((sum, { outcomes }) => sum + (outcomes['applied'] ?? 0), 0)
  expect(applied).toBe(status.outcomesLastHour?.['applied'])
  const busy = points.filter(({ lagMedianMs }) => lagMedianMs !== null)
  expect(busy.length).toBeGreaterThan(0)
  for (const { lagMedianMs, lagMaxMs } of busy) expect(lagMedianMs ?? 0).toBeLessThanOrEqual(lagMaxMs ?? 0)
  expect(await operations.activity()).toEqual(points)
})
