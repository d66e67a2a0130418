import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { openProducer, parseRedisUrl, partitions } from '@clerk-mirror/queue/enqueue'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { runCommand } from '../../../apps/cli/src/run-command.js'
import { decodedEvent, userCreated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { envelope, UNOBSERVED } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'
import { Written } from '../../support/written.js'

/*
 * The commands as a person or a program calls them. They know one queue alone, by its contract's name: a database of
 * Redis' own keeps it apart from what the other tests do.
 */
const REDIS_DATABASE = 11
const redisUrl = new URL(inject('redisUrl'))
redisUrl.pathname = `/${REDIS_DATABASE}`

let database: TestDatabase
let mirror: Mirror
let redis: Redis
const written = new Written()

beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
  redis = new Redis(redisUrl.href)
})
afterAll(async () => {
  await redis.flushdb()
  redis.disconnect()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(() => written.keep())
afterEach(() => void vi.restoreAllMocks())

const ops = (...words: string[]) => runCommand(words, { DATABASE_URL: database.url, REDIS_URL: redisUrl.href })

test('rebuild --json prints one document with what it did, and its progress elsewhere, a JSON line at a time', async () => {
  await mirror.apply([userCreated('user_json', { data: { username: 'ada' } })])
  await database.query("UPDATE users SET username = 'wrong'")
  expect(await ops('rebuild', '--kind', 'users', '--json')).toBe(0)
  expect(JSON.parse(written.out)).toEqual({ done: true, tables: ['users'], objects: 1, written: 1, removed: 0 })
  expect(
    written.note
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([{ event: 'rebuild.progress', done: 1, of: 1 }])
  expect(await database.query('SELECT username FROM users')).toEqual([{ username: 'ada' }])
})

test('rebuild without --kind takes every table, and a table that there is not is wrong usage', async () => {
  expect(await ops('rebuild')).toBe(0)
  expect(written.out).toMatch(/^\d+ objects looked at, \d+ rows written, 0 removed\.\n$/)
  expect(await ops('rebuild', '--kind', 'blocks')).toBe(2)
  expect(written.note).toMatch(/"blocks" is none of users, organizations, /)
})

test('erase asks, and refuses where there is nobody to ask', async () => {
  await mirror.apply([userCreated('user_asked', { data: { username: 'ada' } })])
  expect(await ops('erase', '--user', 'user_asked')).toBe(2)
  expect(written.note).toContain('say --yes')
  expect(await ops('erase', '--yes')).toBe(2)
  expect(await ops('erase', '--user', 'user with spaces', '--yes')).toBe(2)
  expect(await database.query("SELECT username FROM users WHERE clerk_id = 'user_asked'")).toHaveLength(1)
  expect(await database.query("SELECT 1 FROM operator_actions WHERE action = 'erase'")).toEqual([])
})

test('an address is no id: nothing of it is stored', async () => {
  for (const address of ['ada@example.com', '+15550100', '(555)0100-22']) {
    expect(await ops('erase', '--user', address, '--yes')).toBe(2)
    expect(written.note).toContain('that is an address and no id')
    expect(await database.query('SELECT id FROM clerk_objects WHERE id = ?', [address])).toEqual([])
    expect(await database.query('SELECT id FROM operator_actions WHERE subject_id = ?', [address])).toEqual([])
  }
})

test('erase lists what only mentions the user, by id and member, and removes it when told to', async () => {
  await mirror.apply([
    userCreated('user_listed', { data: { email_addresses: [{ email_address: 'listed@example.com' }] } }),
    decodedEvent('brandNew.thing', 'new_listed', { data: { note: 'ask listed@example.com' } }),
  ])
  expect(await ops('erase', '--user', 'user_listed', '--yes')).toBe(0)
  expect(written.out).toContain('new_listed  brandNew, in note')
  expect(written.out).not.toContain('listed@example.com')
  expect(await ops('erase', '--user', 'user_listed', '--also', 'new_listed', '--yes')).toBe(0)
  expect(written.note).toContain('their addresses are unknown')
  expect(await database.query("SELECT data FROM clerk_objects WHERE id = 'new_listed'")).toEqual([{ data: null }])
  expect(await ops('erase', '--user', 'user_listed', '--also', 'ada@example.com', '--yes')).toBe(2)
})

test('erase --yes --json removes rows and waiting events, and prints how many of which', async () => {
  await mirror.apply([userCreated('user_erased', { data: { username: 'ada' } })])
  using producer = openProducer(parseRedisUrl(redisUrl.href), partitions(1), UNOBSERVED)
  const event = envelope('msg_erased', { objectId: 'user_erased' })
  await until(async () => (await producer.enqueue(event)).kind === 'accepted')
  expect(await ops('erase', '--user', 'user_erased', '--yes', '--json')).toBe(0)
  expect(JSON.parse(written.out)).toEqual({
    userId: 'user_erased',
    objects: 1,
    rows: { users: 1 },
    jobs: { waiting: 1, delayed: 0, dead: 0, kept: 0 },
    reactions: { waiting: 0, delayed: 0, dead: 0, kept: 0 },
    unfinished: 0,
    unread: 0,
    addressesKnown: true,
    mentions: [],
    mentioned: 0,
  })
  expect(await redis.keys('*msg_erased')).toEqual([])
})

test('erase of what is no user touches nothing and fails', async () => {
  await mirror.apply([decodedEvent('organization.created', 'org_kept', { data: { name: 'Acme' } })])
  expect(await ops('erase', '--user', 'org_kept', '--yes')).toBe(1)
  expect(written.note).toContain('org_kept is no user but of kind organization')
  expect(await database.query('SELECT name FROM organizations')).toEqual([{ name: 'Acme' }])
})
