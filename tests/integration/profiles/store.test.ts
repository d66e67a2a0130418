import { openMirror, openProfiles, type Profiles } from '@clerk-mirror/mirror'
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectOnce, poolConfig } from '../../../packages/mirror/src/database/connection.js'
import { PrismaClient } from '../../../packages/mirror/src/generated/client.js'
import { listProfiles, publicProfile } from '../../../packages/mirror/src/profiles/profiles-read.js'
import { userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { clerkId } from '../../support/clerk-events.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

let database: TestDatabase
let profiles: Profiles
let mirror: ReturnType<typeof openMirror>
beforeAll(async () => {
  database = await openTestDatabase()
  profiles = openProfiles(database.options)
  mirror = openMirror(database.options)
})
afterAll(async () => {
  await profiles[Symbol.asyncDispose]()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const signedUp = async (username: string | null, data: object = {}) => {
  const id = clerkId('user')
  await mirror.apply([userCreated(id, { data: { username, created_at: 1_750_000_000_000, ...data } })])
  return id
}
const edit = { tagline: 'Hello', blocks: [{ type: 1, label: null, url: 'https://x.com/a' }] }
const storedOf = (id: string) =>
  database.query<{ tagline: string | null; blocks: bigint; synced: string }>(
    'SELECT tagline, (SELECT COUNT(*) FROM blocks WHERE user_id = users.id) AS blocks, IF(synced_at IS NULL, "no", "yes") AS synced ' +
      'FROM users WHERE clerk_id = ?',
    [id],
  )

test('a user has a profile from the event on, by either case, and none without a username', async () => {
  await signedUp('Ada', { first_name: 'Ada', last_name: 'Lovelace', image_url: 'https://img.clerk.com/a' })
  const nameless = await signedUp(null)
  expect(await profiles.find('aDA')).toEqual({
    ...{ username: 'Ada', displayName: 'Ada Lovelace', tagline: null, imgUrl: 'https://img.clerk.com/a', blocks: [] },
  })
  expect(await profiles.own(nameless)).toMatchObject({ username: null, isPublic: false })
  expect(await profiles.find('')).toBeNull()
})

test('of two who claim a name while a rename is in flight, the newest has it, and alone decides', async () => {
  const [older, newer] = [clerkId('user'), clerkId('user')]
  await mirror.apply([userUpdated(newer, { at: 2000, data: { username: 'taken', first_name: 'Newer' } })])
  await mirror.apply([userUpdated(older, { at: 1000, data: { username: 'taken', first_name: 'Older' } })])
  expect(await profiles.find('taken')).toMatchObject({ displayName: 'Newer' })
  await mirror.apply([userUpdated(newer, { at: 3000, data: { username: 'taken', banned: true } })])
  expect(await profiles.find('taken')).toBeNull()
  await mirror.apply([userUpdated(newer, { at: 4000, data: { username: 'other' } })])
  expect(await profiles.find('taken')).toMatchObject({ displayName: 'Older' })
})

test('a name is told from the same with accents, however many claim those', async () => {
  await signedUp('jose', { first_name: 'Plain' })
  for (const other of ['josé', 'jòse', 'jõse', 'jöse', 'jôse', 'jósé']) await signedUp(other, { first_name: 'Accents' })
  expect(await profiles.find('jose')).toMatchObject({ displayName: 'Plain' })
  expect(await profiles.find('JOSÉ')).toMatchObject({ username: 'josé' })
  expect(await profiles.find('jōse')).toBeNull()
})

test('who saves before Clerk’s event has come has a row of their own words, which the event completes', async () => {
  const early = clerkId('user')
  expect(await profiles.own(early)).toMatchObject({ tagline: null, blocks: [], isPublic: false })
  expect(await profiles.save(early, edit)).toBe('saved')
  expect(await profiles.own(early)).toEqual({
    ...{ username: null, displayName: null, imgUrl: null, isPublic: false, ...edit },
  })
  expect(await storedOf(early)).toEqual([{ tagline: 'Hello', blocks: 1n, synced: 'no' }])
  await mirror.apply([userCreated(early, { data: { username: 'early' } })])
  expect(await profiles.find('early')).toMatchObject(edit)
  await mirror.apply([userUpdated(early, { at: 5000, data: { username: 'later' } })])
  expect(await profiles.find('later')).toMatchObject(edit)
})

test('a save replaces all that was there, in the order in which it is given', async () => {
  const id = await signedUp('order')
  const blocks = ['c', 'a', 'b'].map((label) => ({ type: 999, label, url: `https://example.org/${label}` }))
  await profiles.save(id, { tagline: 'First', blocks })
  expect(await profiles.find('order')).toMatchObject({ tagline: 'First', blocks })
  await profiles.save(id, { tagline: null, blocks: [] })
  expect(await profiles.find('order')).toMatchObject({ tagline: null, blocks: [] })
})

test('a deleted user is gone with all they wrote, and cannot write any more', async () => {
  const id = await signedUp('leaving')
  await profiles.save(id, edit)
  await mirror.apply([userDeleted(id, { at: 9000 })])
  expect(await profiles.find('leaving')).toBeNull()
  expect(await profiles.save(id, edit)).toBe('deleted')
  expect(await profiles.own(id)).toBe('deleted')
  const unknown = clerkId('user')
  await mirror.apply([userDeleted(unknown)])
  expect(await profiles.save(unknown, edit)).toBe('deleted')
  expect(await storedOf(id)).toEqual([])
  const orphans = await database.query('SELECT id FROM blocks WHERE user_id NOT IN (SELECT id FROM users)')
  expect(orphans).toEqual([])
})

test('saves, syncs and a delete of one user at the same moment leave nothing behind', async () => {
  for (let round = 0; round < 12; round += 1) {
    const id = clerkId('user')
    const save = () => profiles.save(id, edit)
    const sync = (at: number) => () => mirror.apply([userUpdated(id, { at, data: { username: 'busy' } })])
    const works = [save, sync(1000), () => mirror.apply([userDeleted(id, { at: 3000 })]), save, sync(2000), save]
    // Each in turn is the first to begin.
    const turned = [...works.slice(round % works.length), ...works.slice(0, round % works.length)]
    await Promise.all(turned.map((work) => work()))
    expect(await storedOf(id)).toEqual([])
  }
  expect(await database.query('SELECT id FROM blocks WHERE user_id NOT IN (SELECT id FROM users)')).toEqual([])
})

test('the list has every public profile once, newest first, through all pages', async () => {
  await database.query('DELETE FROM users')
  const times = [5, 3, 3, 3, 9, 1]
  for (const [index, time] of times.entries()) await signedUp(`list${index}`, { created_at: time * 1_000_000_000 })
  await signedUp('outlaw', { banned: true })
  await signedUp(null)
  await profiles.save(clerkId('user'), edit)
  const seen: string[] = []
  for (let after = null as Parameters<Profiles['list']>[0]['after'], pages = 0; pages < 5; pages += 1) {
    const page = await profiles.list({ limit: 2, after })
    seen.push(...page.profiles.map(({ username }) => username))
    after = page.next
    if (after === null) break
  }
  expect(seen).toEqual(['list4', 'list0', 'list3', 'list2', 'list1', 'list5'])
})

const PAGE = 30

test('list and page come from indexes alone, whatever is in the table', async () => {
  await using connection = await connectOnce(database.options, 'migration')
  await connection.query('DELETE FROM users')
  await connection.query('CREATE TABLE numbers (n INT PRIMARY KEY)')
  await connection.query('INSERT INTO numbers VALUES (1)')
  for (let count = 1; count < 65_536; count *= 2) {
    await connection.query(`INSERT INTO numbers SELECT n + ${count} FROM numbers`)
  }
  // Half of them have no public page, the newest above all: a list that looked for the others would read them all.
  await connection.query(
    `INSERT INTO users (clerk_id, username, synced_at, created_at, updated_at, banned)
     SELECT CONCAT('user_', n), CONCAT('name', n), NOW(3), FROM_UNIXTIME(1700000000 + n), NOW(3), n > 30000 FROM numbers`,
  )
  await connection.query('INSERT INTO blocks (user_id, type, url, position) SELECT id, 1, NULL, 0 FROM users')
  await connection.query('ANALYZE TABLE users, blocks')

  const statements = await statementsOf(async (prisma) => {
    const first = await listProfiles(prisma, { limit: PAGE, after: null })
    expect(first.profiles[0]?.username).toBe('name30000')
    const deep = { listedAtMs: 1_700_000_500_000, id: 1n }
    expect((await listProfiles(prisma, { limit: PAGE, after: deep })).profiles[0]?.username).toBe('name499')
    await publicProfile(prisma, 'name17')
  })
  expect(statements.length).toBe(4)
  type Step = { table: string; key: string | null; Extra: string | null }
  for (const { sql, values } of statements) {
    const steps = await connection.query<Step[]>(`EXPLAIN ${sql}`, values)
    for (const step of steps) {
      expect(step.key, sql).not.toBeNull()
      if (step.table === 'users') expect(step.Extra ?? '', sql).not.toContain('filesort')
    }
    // The rows read, and not only the plan: an index can be read from end to end, too.
    await connection.query('FLUSH STATUS')
    await connection.query(sql, values)
    const reads = await connection.query<{ Value: string }[]>("SHOW SESSION STATUS LIKE 'Handler_read%'")
    const sum = reads.reduce((sum, { Value }) => sum + Number(Value), 0)
    expect(sum, sql).toBeLessThanOrEqual(PAGE + 5)
  }
}, 120_000)

/** The statements that Prisma sends meanwhile. */
async function statementsOf(work: (prisma: PrismaClient) => Promise<void>) {
  const statements: { sql: string; values: unknown[] }[] = []
  const prisma = new PrismaClient({
    adapter: new PrismaMariaDb(poolConfig(database.options), { useTextProtocol: true }),
    log: [{ emit: 'event', level: 'query' }],
  })
  // It tells large numbers and times as texts, which the server would not take for the same.
  const asSent = (value: unknown) => {
    if (typeof value !== 'string') return value
    return /^\d+$/.test(value) ? Number(value) : /^\d{4}-.*Z$/.test(value) ? new Date(value) : value
  }
  prisma.$on('query', ({ query, params }) => {
    const values: unknown[] = JSON.parse(params)
    statements.push({ sql: query, values: values.map(asSent) })
  })
  await work(prisma)
  await prisma.$disconnect()
  return statements
}
