import { parseMirroredKinds } from '@clerk-mirror/events'
import { type Mirror, openMirror } from '@clerk-mirror/mirror'
import { parseRedisUrl, partition, partitions, reactionPartition } from '@clerk-mirror/queue/enqueue'
import { openLog, Secret } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { runCommand } from '../../../apps/cli/src/run-command.js'
import type { Reaction, ReactionRun } from '../../../apps/worker/src/reactions/reaction.js'
import { startWorker, type WorkerProcess } from '../../../apps/worker/src/start.js'
import { membership, userCreated, userDeleted } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { until } from '../../support/until.js'
import { Written } from '../../support/written.js'

/* The commands know one queue alone, by its contract's name: a database of Redis' own keeps it apart. */
const REDIS_DATABASE = 13
const redisUrl = new URL(inject('redisUrl'))
redisUrl.pathname = `/${REDIS_DATABASE}`
const place = reactionPartition(partition('{clerk-0}'), 'recorder')

let database: TestDatabase
let mirror: Mirror
let redis: Redis
let worker: WorkerProcess | undefined
let runs: Pick<ReactionRun, 'change' | 'idempotencyKey'>[]
const written = new Written()

beforeAll(() => {
  redis = new Redis(redisUrl.href)
})
afterAll(() => redis.disconnect())
beforeEach(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
  await redis.flushdb()
  runs = []
  written.keep()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await stopWorker()
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** A worker with one reaction, which requests no change of these tests. */
async function work(react: Reaction['react'] = async (run) => void runs.push(run)): Promise<void> {
  const log = openLog({ app: 'test', level: 'debug', pretty: false, write: () => {} })
  const fail = () => {
    throw new Error('the worker failed')
  }
  worker = await startWorker(
    {
      redis: new Secret(parseRedisUrl(redisUrl.href)),
      database: new Secret(database.options),
      partitions: partitions(1),
      mirroredKinds: parseMirroredKinds('*'),
      reactions: [{ name: 'recorder', wants: ['organization.deleted'], react }],
      ...{ host: '127.0.0.1', port: 0, logLevel: 'debug' },
    },
    { log, fail, signal: new AbortController().signal },
  )
  await until(async () => (await redis.sismember('{clerk-0}:clerk-reactions:clerk-mirror:reactions', 'recorder')) === 1)
}
async function stopWorker(): Promise<void> {
  await worker?.[Symbol.asyncDispose]()
  worker = undefined
}

async function ops(...words: string[]): Promise<{ code: number; out: string; note: string }> {
  written.clear()
  const code = await runCommand(words, { DATABASE_URL: database.url, REDIS_URL: redisUrl.href })
  return { code, ...written }
}
const json = async (...words: string[]) => JSON.parse((await ops(...words, '--json')).out)
const ask = (...more: string[]) => json('reactions', 'ask', '--reaction', 'recorder', '--kind', 'user', ...more)
const actions = (action: string) => database.query('SELECT * FROM operator_actions WHERE action = ?', [action])

test('a reaction is asked for every living object of a kind, as created, each under a key of the request', async () => {
  const member = membership('created', 'orgmem_1', { user: 'user_1', organization: 'org_1' }, { at: 1 })
  await mirror.apply(['user_1', 'user_2', 'user_3'].map((id) => userCreated(id, { at: 1 })))
  await mirror.apply([member, userDeleted('user_3', { at: 2 })])
  await work()
  expect(await ask('--dry-run')).toEqual({ done: false, request: null, matched: 2, asked: 0 })
  expect(await actions('ask')).toEqual([])
  expect(await ask('--request', 'first')).toEqual({ done: true, request: 'first', matched: 2, asked: 2 })
  await until(() => runs.length === 2)
  expect(runs.map(({ change }) => `${change.what} ${change.objectId}`).toSorted()).toEqual([
    'created user_1',
    'created user_2',
  ])
  const [stored] = await database.query<{ event_id: string }>("SELECT event_id FROM clerk_objects WHERE id = 'user_1'")
  const ofAda = () => runs.filter(({ change }) => change.objectId === 'user_1')
  expect(ofAda()[0]?.change.version.eventId).toBe(stored?.event_id)
  await ask('--request', 'first', '--id', 'user_1')
  await until(() => runs.length === 3)
  await ask('--id', 'user_1')
  await until(() => runs.length === 4)
  const keys = ofAda().map(({ idempotencyKey }) => idempotencyKey)
  expect(keys[1]).toBe(keys[0])
  expect(keys[2]).not.toBe(keys[0])
  expect(await actions('ask')).toMatchObject([
    { counts: '{"asked":2}', subject_id: null, finished_at: expect.any(Date) },
    { counts: '{"asked":1}', subject_id: 'user_1' },
    { counts: '{"asked":1}', subject_id: 'user_1' },
  ])
})

test('a request that was interrupted goes on behind the last object that it asked for', async () => {
  await mirror.apply(['user_1', 'user_2', 'user_3'].map((id) => userCreated(id, { at: 1 })))
  await work()
  await stopWorker()
  await ask('--request', 'again')
  await database.query('UPDATE operator_actions SET finished_at = NULL, position = ?, counts = ?', [
    'user_2',
    '{"asked":2}',
  ])
  await database.query('DELETE FROM reaction_outbox')
  const resumed = await ops('reactions', 'ask', '--reaction', 'recorder', '--kind', 'user', '--request', 'again')
  expect(resumed).toMatchObject({ code: 0, out: '3 objects asked for, as request again.\n' })
  expect(resumed.note).toContain('Went on')
  expect(await database.query('SELECT object_id, request_id FROM reaction_outbox')).toEqual([
    { object_id: 'user_3', request_id: 'again' },
  ])
})

test('a reaction that nobody knows is neither asked nor forgotten, and an object that is not there is missed', async () => {
  const unknown = await ops('reactions', 'ask', '--reaction', 'nobody', '--kind', 'user')
  expect(unknown).toMatchObject({ code: 1, note: expect.stringContaining('[reaction_unknown]') })
  expect(await ops('reactions', 'forget', 'nobody', '--yes')).toMatchObject({ code: 1 })
  expect(await ops('reactions', 'ask', '--reaction', 'recorder')).toMatchObject({ code: 2 })
  await work()
  const missed = await ops('reactions', 'ask', '--reaction', 'recorder', '--kind', 'user', '--id', 'user_gone')
  expect(missed).toMatchObject({ code: 1, out: expect.stringMatching(/^0 objects asked for/) })
  expect(await actions('forget')).toEqual([])
})

test('a kind that is none is refused by name, and one that only came once is none of those', async () => {
  const theirs = (kind: string) => ops('reactions', 'ask', '--reaction', 'recorder', '--kind', kind, '--dry-run')
  await work()
  const misspelt = await theirs('users')
  expect(misspelt).toMatchObject({ code: 1, out: '', note: expect.stringContaining('[kind_unknown]') })
  expect(misspelt.note).toContain('organizationMembership')
  expect(await theirs('organization')).toMatchObject({ code: 0, out: expect.stringMatching(/^0 objects/) })
  const team = { id: 'team_1', kind: 'team', updated_at_ms: 1, timestamp_ms: 1, event_id: 'msg_1', data: '{}' }
  await database.query(`INSERT INTO clerk_objects (${Object.keys(team).join(', ')}) VALUES (?)`, [Object.values(team)])
  expect(await theirs('team')).toMatchObject({ code: 0, out: expect.stringMatching(/^1 objects/) })
})

test('what waits for a reaction is listed, and forgotten once no worker has it, with its dead letters', async () => {
  await mirror.apply(['user_1', 'user_2'].map((id) => userCreated(id, { at: 1 })))
  await work(async () => {
    throw new Error('again')
  })
  await ask()
  await until(async () => (await redis.zcard(place.key('delayed'))) === 2)
  const alive = await ops('reactions', 'forget', 'recorder', '--yes')
  expect(alive).toMatchObject({ code: 1, note: expect.stringContaining('[reaction_alive]') })
  await stopWorker()
  await ask()
  expect(await json('reactions', 'list')).toMatchObject([
    { reaction: 'recorder', workers: 0, outbox: 2, queue: { waiting: 0, active: 0, retrying: 2, dead: 0 } },
  ])
  expect(await json('reactions', 'forget', 'recorder', '--dry-run')).toEqual({ done: false, outbox: 2, runs: 2 })
  expect(await json('reactions', 'forget', 'recorder', '--yes')).toEqual({ done: true, outbox: 2, runs: 2 })
  expect(await json('reactions', 'list')).toEqual([])
  expect(await database.query('SELECT * FROM reaction_outbox')).toEqual([])
  expect(await redis.keys(`${place.prefix}:*:x_*`)).toEqual([])
  expect(await actions('forget')).toMatchObject([{ subject_id: 'recorder', counts: '{"outbox":2,"runs":2}' }])
})
