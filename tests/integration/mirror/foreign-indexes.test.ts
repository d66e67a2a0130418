import { openMirror, openProfiles } from '@clerk-mirror/mirror'
import { expect, test } from 'vitest'
import { userCreated, userUpdated } from '../../support/builders.js'
import { openTestDatabase } from '../../support/mysql/database.js'

/*
 * Unique indexes that the application adds to the tables of the mirror. A write changes the row of its own Clerk id or
 * none.
 */

const named = (id: string, username: string, at?: number) =>
  userUpdated(id, { data: { username, first_name: id }, ...(at !== undefined && { at }) })

const blocked = { kind: 'failed', failure: { class: 'blocked', code: expect.stringMatching(/^mysql_(1062|1690)$/) } }
const applied = { kind: 'decided', outcome: 'applied' }

/** In both orders of the indexes: the server looks for duplicates in the order in which it keeps them. */
const ORDERS = [
  ['added', ['CREATE UNIQUE INDEX one_name ON users(username)']],
  [
    'before that of the mirror',
    [
      'ALTER TABLE users DROP INDEX users_clerk_id_key',
      'CREATE UNIQUE INDEX one_name ON users(username)',
      'CREATE UNIQUE INDEX users_clerk_id_key ON users(clerk_id)',
    ],
  ],
] as const

test.each(ORDERS)('a unique index on users.username (%s) never lets one user overwrite another', async (_, sql) => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  for (const statement of sql) await database.query(statement)
  const rows = () => database.query('SELECT clerk_id, username, first_name FROM users ORDER BY clerk_id')
  expect(await mirror.apply([named('user_a', 'ada')])).toMatchObject([applied])
  const batch = [named('user_b', 'bob'), named('user_z', 'ada'), named('user_c', 'cyd')]
  expect(await mirror.apply(batch)).toMatchObject([applied, blocked, applied])
  const three = [
    { clerk_id: 'user_a', username: 'ada', first_name: 'user_a' },
    { clerk_id: 'user_b', username: 'bob', first_name: 'user_b' },
    { clerk_id: 'user_c', username: 'cyd', first_name: 'user_c' },
  ]
  expect(await rows()).toEqual(three)
  // An update into a name that is taken is the same.
  const taken = named('user_c', 'ada', 5_000)
  expect(await mirror.apply([taken])).toMatchObject([blocked])
  expect(await rows()).toEqual(three)
  // It goes on as it is when the name is free.
  expect(await mirror.apply([named('user_a', 'countess', 6_000), taken])).toMatchObject([applied, applied])
  expect(await rows()).toEqual([
    { clerk_id: 'user_a', username: 'countess', first_name: 'user_a' },
    three[1],
    { clerk_id: 'user_c', username: 'ada', first_name: 'user_c' },
  ])
  const events = await database.query<{ n: bigint }>('SELECT COUNT(*) AS n FROM webhook_events')
  expect(Number(events[0]?.n)).toBe(5)
})

test.each([
  ['clerk_objects', 'CREATE UNIQUE INDEX one ON clerk_objects(kind, updated_at_ms)'],
  ['webhook_events', 'CREATE UNIQUE INDEX one ON webhook_events(type)'],
  ['reaction_outbox', 'CREATE UNIQUE INDEX one ON reaction_outbox(reaction)'],
])('nor does one on %s', async (table, sql) => {
  await using database = await openTestDatabase()
  const interests = { to: () => ['welcome'], wantUpdatesOf: () => true }
  const reactions = { interests: () => interests, areCurrent: async () => true, onRequested: () => {} }
  await using mirror = openMirror(database.options, { reactions })
  await database.query(sql)
  const first = userCreated('user_a')
  expect(await mirror.apply([first])).toMatchObject([applied])
  const before = await database.query(`SELECT * FROM ${table} ORDER BY 1`)
  expect(await mirror.apply([userCreated('user_b')])).toMatchObject([blocked])
  expect(await database.query(`SELECT * FROM ${table} ORDER BY 1`)).toEqual(before)
})

test('a profile that is saved writes the row of its own user or none', async () => {
  await using database = await openTestDatabase()
  await using profiles = openProfiles(database.options)
  await database.query('CREATE UNIQUE INDEX one_tagline ON users(tagline)')
  expect(await profiles.save('user_a', { tagline: 'hello', blocks: [] })).toBe('saved')
  const saving = profiles.save('user_b', { tagline: 'hello', blocks: [] })
  await expect(saving).rejects.toMatchObject({ class: 'blocked' })
  const blocks = [{ type: 1, label: null, url: 'https://example.com/' }]
  expect(await profiles.save('user_a', { tagline: 'hello', blocks })).toBe('saved')
  expect(await database.query('SELECT clerk_id, tagline FROM users')).toEqual([
    { clerk_id: 'user_a', tagline: 'hello' },
  ])
})
