import { type FutureVersion, type Mirror, openMirror } from '@clerk-mirror/mirror'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { membership, TIME_BASE, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

const DAY_MS = 86_400_000
/** The events of these stories were received at TIME_BASE, and are applied a little later. */
const NOW_MS = TIME_BASE + 100_000
const FAR = 400 * DAY_MS

let database: TestDatabase
let mirror: Mirror
let nowMs: number
const found: FutureVersion[] = []
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())
beforeEach(() => {
  nowMs = NOW_MS
  found.length = 0
  mirror = openMirror(database.options, { clock: () => nowMs, onFutureVersions: (some) => void found.push(...some) })
})
afterEach(async () => {
  await mirror[Symbol.asyncDispose]()
  for (const table of ['clerk_objects', 'webhook_events', 'users', 'operator_actions']) {
    await database.query(`DELETE FROM ${table}`)
  }
  await database.query('DELETE FROM future_versions')
})

const outcomeOf = async (...events: Parameters<Mirror['apply']>[0]) =>
  (await mirror.apply(events)).map((each) => (each.kind === 'decided' ? each.outcome : each.failure.code))
const nameOf = async (id: string) => {
  const [user] = await database.query<{ username: string | null }>('SELECT username FROM users WHERE clerk_id = ?', [
    id,
  ])
  return user?.username
}
const named = (username: string) => ({ data: { username } })
const release = (objectId: string) => mirror.releaseVersion({ objectId, actor: 'ada' })

test('a version more than a day ahead is applied, and found and noted once', async () => {
  const ada = userCreated('user_ada', { id: 'msg_far', at: FAR, ...named('ada') })
  const bob = userCreated('user_bob', { at: DAY_MS / 2, ...named('bob') })
  expect(await outcomeOf(ada, bob)).toEqual(['applied', 'applied'])
  expect(await nameOf('user_ada')).toBe('ada')
  const version = { objectId: 'user_ada', kind: 'user', eventId: 'msg_far', updatedAtMs: TIME_BASE + FAR }
  expect(found).toEqual([version])
  expect(await outcomeOf(userUpdated('user_ada', { at: 5_000 }), userUpdated('user_ada', { at: FAR + 1 }))).toEqual([
    'stale',
    'applied',
  ])
  expect(found).toEqual([version])
  expect(await mirror.countFutureObjects()).toBe(1)
  expect(await mirror.futureObjects(10)).toMatchObject([
    { id: 'user_ada', kind: 'user', version: { updatedAtMs: TIME_BASE + FAR + 1 }, noticedAtMs: NOW_MS },
  ])
})

test('it is no finding any more when its time has come, or when the object is deleted', async () => {
  await outcomeOf(userCreated('user_ada', { at: FAR }), userCreated('user_bob', { at: FAR + DAY_MS }))
  expect(await mirror.countFutureObjects()).toBe(2)
  nowMs = TIME_BASE + FAR
  expect((await mirror.futureObjects(10)).map(({ id }) => id)).toEqual([])
  nowMs = NOW_MS
  expect(await outcomeOf(userDeleted('user_ada', { at: 6_000 }))).toEqual(['applied'])
  expect((await mirror.futureObjects(10)).map(({ id }) => id)).toEqual(['user_bob'])
})

test('an object that came to such a version in another way is found when an event is stale against it', async () => {
  await outcomeOf(userCreated('user_ada'))
  await database.query("UPDATE clerk_objects SET updated_at_ms = 9000000000000000 WHERE id = 'user_ada'")
  expect(await mirror.countFutureObjects()).toBe(0)
  expect(await outcomeOf(userUpdated('user_ada', { at: 5_000 }), userUpdated('user_ada', { at: 6_000 }))).toEqual([
    'stale',
    'stale',
  ])
  expect(found.map(({ objectId, updatedAtMs }) => [objectId, updatedAtMs])).toEqual([['user_ada', 9e15]])
  expect(await mirror.countFutureObjects()).toBe(1)
})

test('a version that is ahead of this clock and not of ingest’s says that this clock is wrong, and is no finding', async () => {
  nowMs = TIME_BASE - 30 * DAY_MS
  expect(await outcomeOf(userCreated('user_ada'))).toEqual(['applied'])
  expect(found).toEqual([])
})

test('that no note can be made stops no event', async () => {
  await database.query('RENAME TABLE future_versions TO elsewhere')
  expect(await outcomeOf(userCreated('user_ada', { at: FAR, ...named('ada') }))).toEqual(['applied'])
  await database.query('RENAME TABLE elsewhere TO future_versions')
  expect(await nameOf('user_ada')).toBe('ada')
  expect(found.map(({ objectId }) => objectId)).toEqual(['user_ada'])
})

test('a released object takes what Clerk sent after its event was received, and nothing from before', async () => {
  await outcomeOf(userCreated('user_ada', { id: 'msg_far', at: FAR, ...named('far') }))
  expect(await outcomeOf(userUpdated('user_ada', { at: 5_000, ...named('lost') }))).toEqual(['stale'])
  const [before] = await database.query<object>(
    "SELECT data, deleted_at, user_id FROM clerk_objects WHERE id = 'user_ada'",
  )
  const to = { updatedAtMs: TIME_BASE, timestampMs: TIME_BASE, eventId: 'msg_far' }
  expect(await release('user_ada')).toEqual({
    kind: 'released',
    from: { updatedAtMs: TIME_BASE + FAR, timestampMs: TIME_BASE + FAR + 20, eventId: 'msg_far' },
    to,
  })
  expect(await mirror.countFutureObjects()).toBe(0)
  expect(await mirror.storedObject('user_ada')).toMatchObject({ version: to })
  expect(await database.query("SELECT data, deleted_at, user_id FROM clerk_objects WHERE id = 'user_ada'")).toEqual([
    before,
  ])
  expect(await nameOf('user_ada')).toBe('far')
  expect(await outcomeOf(userUpdated('user_ada', { at: -5_000, ...named('old') }))).toEqual(['stale'])
  expect(await outcomeOf(userUpdated('user_ada', { at: 6_000, ...named('new') }))).toEqual(['applied'])
  expect(await nameOf('user_ada')).toBe('new')
  expect(await outcomeOf(userCreated('user_ada', { id: 'msg_far', at: FAR, ...named('far') }))).toEqual(['duplicate'])
  const [action] = await mirror.recordedActions({ limit: 9 })
  expect(action).toMatchObject({ actor: 'ada', action: 'release', subjectId: 'user_ada', counts: { released: 1 } })
  expect(JSON.parse(action?.details ?? '')).toMatchObject({ to })
  expect(action?.finishedAtMs).toBe(NOW_MS)
})

test('a tombstone, a stub and a version of today are not released, and nothing goes on record', async () => {
  const names = { user: 'user_stub', organization: 'org_stub' }
  await outcomeOf(userCreated('user_ada', { at: FAR }), userDeleted('user_ada'), userCreated('user_bob'))
  await outcomeOf(membership('created', 'orgmem_1', names, { at: FAR }))
  const [tombstone] = await database.query("SELECT * FROM clerk_objects WHERE id = 'user_ada'")
  expect(await release('user_ada')).toEqual({ kind: 'deleted' })
  expect(await release('user_bob')).toMatchObject({ kind: 'not-ahead' })
  expect(await release('user_stub')).toEqual({ kind: 'nothing-stored' })
  expect(await release('user_nobody')).toEqual({ kind: 'nothing-stored' })
  expect(await mirror.releaseVersion({ objectId: 'orgmem_1', actor: 'ada', dryRun: true })).toMatchObject({
    kind: 'released',
  })
  expect(await database.query("SELECT * FROM clerk_objects WHERE id = 'user_ada'")).toEqual([tombstone])
  expect(await mirror.countFutureObjects()).toBe(1)
  expect(await mirror.recordedActions({ limit: 9 })).toEqual([])
  expect(await outcomeOf(userUpdated('user_ada', { at: FAR + 1 }))).toEqual(['tombstoned'])
})

type Step = { kind: 'event'; at: number } | { kind: 'far' } | { kind: 'delete' } | { kind: 'release' }
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('event' as const), at: fc.integer({ min: -9, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('far' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
)

test('whatever comes in whatever order, the object is as the plainest telling of the rules says', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 9 }), async (steps) => {
      run += 1
      const id = `user_run${run}`
      // The plainest telling: one version and one name, newest wins, a delete is final, a release sets the version
      // back.
      let expected: { at: number; event: string } | 'deleted' | null = null
      for (const [index, step] of steps.entries()) {
        const event = `msg_run${run}x${index}`
        if (step.kind === 'release') {
          const { kind } = await release(id)
          const isAhead = expected !== null && expected !== 'deleted' && expected.at > DAY_MS
          expect(kind === 'released').toBe(isAhead)
          if (isAhead && expected !== null && expected !== 'deleted') expected = { at: 0, event: expected.event }
        } else if (step.kind === 'delete') {
          await outcomeOf(userDeleted(id, { id: event }))
          expected = 'deleted'
        } else {
          const at = step.kind === 'far' ? FAR + index : step.at
          await outcomeOf(userUpdated(id, { id: event, at, timestamp: at, ...named(event) }))
          if (expected === 'deleted') continue
          const isNewer = expected === null || at > expected.at || (at === expected.at && event > expected.event)
          if (isNewer) expected = { at, event }
        }
      }
      const name = expected === null || expected === 'deleted' ? undefined : expected.event
      expect(await nameOf(id)).toBe(name)
      expect((await mirror.storedObject(id))?.deletedAtMs != null).toBe(expected === 'deleted')
    }),
    { numRuns: 60 },
  )
}, 120_000)
