import { type DecodedEvent, type Mirror, openMirror } from '@clerk-mirror/mirror'
import { expect, test } from 'vitest'
import { findHeldRows } from '../../../packages/mirror/src/apply/held-rows.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { decodedEvent, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

/*
 * The application holds rows of the mirror's tables in a transaction that does not end.
 */

/** Everything known about a batch by then: LOCK_PATIENCE_MS, and the waits around it. */
const BOUNDED_MS = 100_000

const kinds = (results: Awaited<ReturnType<Mirror['apply']>>) =>
  results.map((result) =>
    result.kind === 'decided' ? result.outcome : `${result.failure.class} ${result.failure.code}`,
  )

const people = (count: number) => Array.from({ length: count }, (_, index) => `user_${index}`)
const updates = (ids: readonly string[]): DecodedEvent[] => ids.map((id) => userUpdated(id, { at: 5_000 }))

async function openHolder(database: TestDatabase, sql: string, params: unknown[] = []) {
  // Idle for long, which neither end may break off.
  const holder = await connectOnce(database.options, 'migration')
  await holder.query('SET SESSION wait_timeout = 600')
  await holder.query('BEGIN')
  await holder.query(sql, params)
  return {
    query: (text: string) => holder.query(text),
    [Symbol.asyncDispose]: async () => {
      await holder.query('ROLLBACK').catch(() => {})
      await holder.end()
    },
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const beganMs = performance.now()
  return { result: await work(), tookMs: performance.now() - beganMs }
}

const appliedAmong = async (database: TestDatabase, ids: readonly string[]) => {
  const rows = await database.query<{ object_id: string }>(
    "SELECT object_id FROM webhook_events WHERE outcome = 'applied' AND type = 'user.updated'",
  )
  const found = new Set(rows.map((row) => row.object_id))
  return ids.filter((id) => found.has(id))
}

test.each([
  ['of the object row of the object', "SELECT id FROM clerk_objects WHERE id = 'user_7' FOR UPDATE"],
  ['of its typed row', "UPDATE users SET tagline = 'mine' WHERE clerk_id = 'user_7'"],
  ['of its typed row, shared', "SELECT id FROM users WHERE clerk_id = 'user_7' LOCK IN SHARE MODE"],
])('a lock %s stops the events of that row alone', { timeout: 600_000 }, async (_, lock) => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  const ids = people(64)
  await mirror.apply(ids.map((id) => userCreated(id)))
  await using holder = await openHolder(database, lock)
  const innocent = ids.filter((id) => id !== 'user_7')
  const batch = updates(ids)
  const all = await timed(() => mirror.apply(batch))
  expect(await appliedAmong(database, innocent)).toEqual(innocent)
  expect(all.tookMs).toBeLessThan(BOUNDED_MS)
  expect(kinds(all.result)).toEqual(ids.map((id) => (id === 'user_7' ? 'blocked mysql_1205' : 'applied')))
  // When the event comes again beside others, it holds none of them up; and it is applied when the lock is gone.
  const again = [userUpdated('user_0', { at: 6_000 }), batch[7] as DecodedEvent, userUpdated('user_8', { at: 6_000 })]
  expect(kinds(await mirror.apply(again))).toEqual(['applied', 'blocked mysql_1205', 'applied'])
  await holder.query('ROLLBACK')
  expect(kinds(await mirror.apply([batch[7] as DecodedEvent]))).toEqual(['applied'])
})

test('a lock of all users stops events of users, within bounds, and no others', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  const ids = people(32)
  await mirror.apply(ids.map((id) => userCreated(id)))
  await using holder = await openHolder(database, "UPDATE users SET tagline = 'mine'")
  const others = Array.from({ length: 16 }, (_, index) => decodedEvent('session.created', `sess_${index}`))
  const batch = [...updates(ids), ...others]
  const { result, tookMs } = await timed(() => mirror.apply(batch))
  expect(kinds(result)).toEqual([...ids.map(() => 'blocked mysql_1205'), ...others.map(() => 'applied')])
  expect(tookMs).toBeLessThan(BOUNDED_MS)
  await holder.query('ROLLBACK')
  expect(new Set(kinds(await mirror.apply(batch)))).toEqual(new Set(['applied', 'duplicate']))
})

test('a lock that no row shows is found by trying, within bounds', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  const ids = people(8)
  await mirror.apply(ids.map((id) => userCreated(id)))
  await database.query('INSERT INTO blocks (user_id, type) SELECT id, 1 FROM users WHERE clerk_id = ?', ['user_3'])
  // Only the delete's cascade reaches the block.
  await using holder = await openHolder(database, 'SELECT id FROM blocks FOR UPDATE')
  const batch = [...updates(people(3)), userDeleted('user_3', { at: 6_000 }), ...updates(['user_4', 'user_5'])]
  const { result, tookMs } = await timed(() => mirror.apply(batch))
  expect(tookMs).toBeLessThan(BOUNDED_MS)
  expect(kinds(result)).toEqual(['applied', 'applied', 'applied', 'blocked mysql_1205', 'applied', 'applied'])
  await holder.query('ROLLBACK')
  expect(kinds(await mirror.apply(batch.slice(3, 4)))).toEqual(['applied'])
})

test('a lock that passes blocks nobody', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await mirror.apply([userCreated('user_0')])
  const holder = await openHolder(database, "SELECT id FROM clerk_objects WHERE id = 'user_0' FOR UPDATE")
  const batch = [...updates(['user_0']), userCreated('user_1')]
  const held = await findHeldRows(database.options, batch)
  expect(batch.map((each) => held.holds(each))).toEqual([true, false])
  const applying = mirror.apply(batch)
  await holder[Symbol.asyncDispose]()
  expect(kinds(await applying)).toEqual(['applied', 'applied'])
})
