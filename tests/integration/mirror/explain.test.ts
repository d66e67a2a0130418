import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyBatch } from '../../../packages/mirror/src/apply/apply.js'
import { connectOnce, type DatabaseConnection } from '../../../packages/mirror/src/database/connection.js'
import type { SqlValue } from '../../../packages/mirror/src/database/sql.js'
import type { Transaction } from '../../../packages/mirror/src/database/transaction.js'
import { decodedEvent, membership, userCreated, userDeleted } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { fillTables } from '../../support/mysql/filled-tables.js'

/** Enough for an optimizer to take a full scan seriously. */
const OBJECTS = 300_000

const TABLES = {
  'clerk_objects (id, kind, updated_at_ms, timestamp_ms, user_id, organization_id)':
    "CONCAT('orgmem_', n), 'organizationMembership', 1, 1, CONCAT('user_', n), CONCAT('org_', n DIV 100)",
  'webhook_events (event_id, type, source, outcome, attempts, received_at, applied_at)':
    "CONCAT('msg_', n), 'user.created', 'clerk', 'applied', 1, NOW(), NOW()",
  'users (clerk_id)': "CONCAT('user_', n)",
  'blocks (user_id, type)': 'n, 1',
  'organizations (clerk_id)': "CONCAT('org_', n)",
  'organization_memberships (clerk_id, user_clerk_id, organization_clerk_id)':
    "CONCAT('orgmem_', n), CONCAT('user_', n), CONCAT('org_', n DIV 100)",
  'organization_invitations (clerk_id, user_clerk_id, organization_clerk_id)':
    "CONCAT('orginv_', n), CONCAT('user_', n), CONCAT('org_', n DIV 100)",
  'organization_domains (clerk_id, organization_clerk_id)': "CONCAT('orgdmn_', n), CONCAT('org_', n DIV 100)",
}

let database: TestDatabase
let connection: DatabaseConnection
beforeAll(async () => {
  database = await openTestDatabase()
  connection = await connectOnce(database.options, 'migration')
  await fillTables(connection, TABLES, OBJECTS)
}, 240_000)
afterAll(async () => {
  await connection.end()
  await database[Symbol.asyncDispose]()
})

type Step = { table: string | null; type: string | null; key: string | null }

/** Explains each statement before it runs it. */
function explaining(plans: { sql: string; step: Step }[]): Transaction {
  const explain = async (sql: string, values: readonly SqlValue[]) => {
    const steps = await connection.query<Step[]>(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, values)
    for (const step of steps) if (step.table && !sql.startsWith('INSERT')) plans.push({ sql, step })
  }
  return {
    execute: async ({ sql, values }) => {
      await explain(sql, values)
      return (await connection.query<{ affectedRows: number }>(sql, values)).affectedRows
    },
    query: async (sql, values) => {
      await explain(sql, values)
      return connection.query(sql, values)
    },
  }
}

test(`with ${OBJECTS} objects no statement of the hot path reads a table from end to end`, async () => {
  const batch = Array.from({ length: 50 }, (_, index) =>
    userCreated(`user_${index * 100}`, { data: { username: 'x' } }),
  )
  batch.push(
    ...[1001, 1002].map((n) => userDeleted(`user_${n}`, { at: 5000 })),
    decodedEvent('organization.deleted', 'org_77', { at: 5000 }),
    decodedEvent('organizationDomain.deleted', 'orgdmn_5', { at: 5000 }),
    membership('created', 'orgmem_new', { user: 'user_3', organization: 'org_3' }),
    membership('deleted', 'orgmem_9', { user: 'user_9', organization: 'org_0' }, { at: 5000 }),
    decodedEvent('organization.created', 'org_new', { data: { created_by: 'user_4' } }),
    decodedEvent('organizationInvitation.created', 'orginv_new', { data: { organization_id: 'org_3' } }),
  )
  const plans: { sql: string; step: Step }[] = []
  await connection.query('BEGIN')
  const reactions = { to: () => ['recorder'], wantUpdatesOf: () => true }
  const { outcomes } = await applyBatch(explaining(plans), batch, Date.now(), reactions)
  await connection.query('ROLLBACK')
  expect(new Set(outcomes)).toEqual(new Set(['applied']))
  const kinds = new Set(plans.map(({ sql }) => sql.split(' ', 3).join(' ')))
  expect(kinds.size, 'selects, updates and deletes were explained').toBeGreaterThan(8)
  // `ALL` reads the table, `index` an index, from end to end.
  const scans = plans.filter(({ step }) => step.type === 'ALL' || step.type === 'index')
  expect(scans).toEqual([])
})
