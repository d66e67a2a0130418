import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { createPool } from 'mariadb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { reactionReads } from '../../../packages/mirror/src/apply/reaction-reads.js'
import { connectOnce, type DatabaseConnection, poolConfig } from '../../../packages/mirror/src/database/connection.js'
import { withSessions } from '../../../packages/mirror/src/database/session.js'
import { PrismaClient } from '../../../packages/mirror/src/generated/client.js'
import { operatorVerbs } from '../../../packages/mirror/src/operate/operator-verbs.js'
import { mirrorReads } from '../../../packages/mirror/src/operate/reads.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { fillTables } from '../../support/mysql/filled-tables.js'

/** Enough for an optimizer to take a full scan seriously. */
const OBJECTS = 200_000

const TABLES: Readonly<Record<string, string>> = {
  'clerk_objects (id, kind, updated_at_ms, timestamp_ms, event_id, user_id, organization_id)':
    "CONCAT('user_', n), IF(n % 1000 = 0, 'organization', 'user'), 1, 1, CONCAT('msg_', n), CONCAT('user_', n), CONCAT('org_', n DIV 100)",
  'webhook_events (event_id, type, object_id, source, outcome, attempts, received_at, applied_at)':
    "CONCAT('msg_', n), 'user.created', CONCAT('user_', n), 'clerk', 'applied', 1, NOW(), NOW() - INTERVAL n SECOND",
  'reaction_outbox (reaction, happening, kind, object_id, user_id, event_id, updated_at_ms, timestamp_ms, changed_fields, asked_at)':
    "CONCAT('reaction-', n % 3), 'created', 'user', CONCAT('user_', n), CONCAT('user_', n), CONCAT('msg_', n), 1, 1, '[]', NOW()",
  'future_versions (object_id, noticed_at)': "CONCAT('user_', n), NOW()",
  'operator_actions (at, finished_at, actor, action, subject_id, details, counts)':
    "NOW(), NOW(), 'ada', 'look', CONCAT('msg_', n), NULL, '{}'",
}

let database: TestDatabase
let connection: DatabaseConnection
let prisma: PrismaClient<'query'>
const seen: { query: string; params: string }[] = []
beforeAll(async () => {
  database = await openTestDatabase()
  connection = await connectOnce(database.options, 'migration')
  await fillTables(connection, TABLES, OBJECTS)
  const pool = withSessions(createPool(poolConfig(database.options)))
  const adapterOptions = { database: database.options.database, disposeExternalPool: true, useTextProtocol: true }
  prisma = new PrismaClient({
    adapter: {
      provider: 'mysql',
      adapterName: 'mariadb',
      connect: () => new PrismaMariaDb(pool, adapterOptions).connect(),
    },
    log: [{ emit: 'event', level: 'query' }],
  })
  prisma.$on('query', ({ query, params }) => void seen.push({ query, params }))
}, 240_000)
afterAll(async () => {
  await prisma.$disconnect()
  await connection.end()
  await database[Symbol.asyncDispose]()
})

type Step = { table: string | null; type: string | null; key: string | null; Extra: string | null }

/** Prisma tells of numbers and times as texts. */
function valuesOf(query: string, params: string): unknown[] {
  const values = (JSON.parse(params) as unknown[]).map((value) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value) : value,
  )
  const paging = query.endsWith('LIMIT ? OFFSET ?') ? 2 : query.endsWith('LIMIT ?') ? 1 : 0
  return values.map((value, index) => (index >= values.length - paging ? Number(value) : value))
}

type Plan = { query: string; step: Step }

/** How the server would run each statement that the work sends. */
async function plansOf(work: () => Promise<unknown>): Promise<Plan[]> {
  seen.length = 0
  await work()
  const statements = seen.filter(({ query }) => /^\s*(SELECT|UPDATE|DELETE)/.test(query))
  expect(statements.length).toBeGreaterThan(0)
  const plans: Plan[] = []
  for (const { query, params } of statements) {
    const steps = await connection.query<Step[]>(`EXPLAIN FORMAT=TRADITIONAL ${query}`, valuesOf(query, params))
    plans.push(...steps.map((step) => ({ query, step })))
  }
  return plans
}

/** A count that stops early, the first rows of a table, and the server's table statistics. */
const BOUNDED = [
  /^SELECT COUNT\(\*\) AS `rows` FROM \(SELECT 1 FROM \w+ (WHERE reaction=\? )?LIMIT \d+\)/,
  /WHERE 1=1 ORDER BY \S+`id` (ASC|DESC) LIMIT \? OFFSET \?$/,
  /FROM \(SELECT object_id, noticed_at FROM future_versions ORDER BY object_id LIMIT \d+\) AS noted/,
  /FROM information_schema\.TABLES/,
]

/** `ALL` reads the table, `index` an index, from end to end. */
const isScan = ({ query, step: { type, table } }: Plan) =>
  (type === 'ALL' || type === 'index') &&
  table !== null &&
  !/^</.test(table) &&
  !BOUNDED.some((each) => each.test(query))

const limits = { maxWait: 5_000, timeout: 20_000 }
const verbs = () => operatorVerbs(prisma, limits, Date.now, Math.random)
const reads = () => mirrorReads(prisma)
const reactions = () => reactionReads(prisma, Date.now)
const ask = { actor: 'ada', reaction: 'reaction-0', kind: 'organization', ids: null, requestId: 'r1' }

async function erase(userId: string): Promise<unknown> {
  const begun = await verbs().beginErase({ userId, actor: 'ada' })
  if (begun.kind !== 'begun') throw new Error(`${userId} is a ${begun.objectKind}`)
  return verbs().eraseUser({ userId, actionId: begun.actionId })
}

test.each<[string, () => Promise<unknown>]>([
  ['how many objects of a kind there are', () => verbs().countBackfill(ask)],
  ['whether there are objects of a kind that is rare', () => verbs().hasObjectsOf('nothing')],
  ['a request for a reaction', async () => verbs().backfillNext(await verbs().beginBackfill(ask))],
  ['the record of a request that was interrupted', () => verbs().beginBackfill({ ...ask, requestId: 'r2' })],
  ['the beginning of a rebuild', () => verbs().beginRebuild({ actor: 'ada', tables: ['users'], restart: false })],
  [
    'a page of a rebuild',
    async () => verbs().rebuildNext(await verbs().beginRebuild({ actor: 'ada', tables: ['users'], restart: true })),
  ],
  ['an erase', () => erase('user_77')],
  ['how many objects there are to look through', () => verbs().countObjects()],
  ['which of some events are decided', () => reads().decidedAmong(['msg_1', 'msg_2'])],
  ['a stored object', () => reads().storedObject('user_1')],
  ['what went with a user', () => reads().wentWith('user_3', 100)],
  ['an event in the ledger', () => reads().ledgerRow('msg_1')],
  ['the events of an object', () => reads().ledgerOf('user_4', 50)],
  ['what an hour brought', () => reads().outcomesSince(Date.now() - 3_600_000)],
  ['the activity of some minutes', () => reads().activitySince(Date.now() - 300_000)],
  ['what operators did', () => reads().recordedActions({ limit: 50 })],
  ['what operators did further back', () => reads().recordedActions({ limit: 50, before: 100_000n })],
  ['what operators did to one event', () => reads().recordedActions({ limit: 50, subjectId: 'msg_5' })],
  ['a page of the outbox', () => reactions().outbox('reaction-1', 500)],
  ['the reactions that have something in the outbox', () => reactions().outboxReactions()],
  ['how much waits for a reaction', () => reactions().outboxDepth('reaction-1')],
  ['how much waits for all', () => reactions().outboxDepth()],
  ['objects with a version far in the future', () => reads().futureObjects(100)],
  ['how many of those there are', () => reads().countFutureObjects()],
  ['the release of one', () => verbs().releaseVersion({ objectId: 'user_9', actor: 'ada' })],
  ['objects as they are now', () => reactions().objectsNow(['user_8', 'user_9'])],
])(`with ${OBJECTS} objects %s is found without reading a table from end to end`, async (_, work) => {
  expect((await plansOf(work)).filter(isScan)).toEqual([])
})

test('a page of a rare kind is read by an index of the kind, and not by looking at all ids behind the last page', async () => {
  const run = await verbs().beginBackfill({ ...ask, requestId: 'r3' })
  const plans = await plansOf(() => verbs().backfillNext(run))
  const page = plans.find(({ query }) => /kind = \? .*FOR UPDATE/.test(query))
  expect(page?.step.key).toBe('clerk_objects_kind_id_idx')
})
