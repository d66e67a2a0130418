import type { Query } from '../../support/invariants.js'

const REFERRED_ROWS = 200

/** A change of the schema, and the statements that mend it; they do no harm to a schema that is whole. */
export type Drift = { name: string; drift: readonly string[]; mend: readonly string[]; stops: 'all' | 'some' }

/** When the drift begins, in SQL. */
export const NOW = 'NOW'

/** Of the rows that are written from then on only sixteen have different values. */
const SIXTEEN = `GENERATED ALWAYS AS (IF(synced_at > ${NOW}, CRC32(clerk_id) % 16, NULL)) VIRTUAL`

export const DRIFTS: readonly Drift[] = [
  {
    name: 'column without a default',
    drift: ['ALTER TABLE users ADD COLUMN IF NOT EXISTS chaos_plan VARCHAR(20) NOT NULL'],
    mend: ['ALTER TABLE users DROP COLUMN IF EXISTS chaos_plan'],
    stops: 'all',
  },
  {
    name: 'dropped column',
    drift: ['ALTER TABLE organization_memberships RENAME COLUMN role TO chaos_role'],
    mend: ['ALTER TABLE organization_memberships RENAME COLUMN IF EXISTS chaos_role TO role'],
    stops: 'all',
  },
  {
    name: 'unique index',
    drift: [
      `ALTER TABLE users ADD COLUMN IF NOT EXISTS chaos_team INT ${SIXTEEN}`,
      'CREATE UNIQUE INDEX IF NOT EXISTS chaos_one ON users (chaos_team)',
    ],
    mend: ['DROP INDEX IF EXISTS chaos_one ON users', 'ALTER TABLE users DROP COLUMN IF EXISTS chaos_team'],
    stops: 'some',
  },
  {
    name: 'foreign key',
    drift: [
      'CREATE TABLE IF NOT EXISTS chaos_orders (user_id BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))',
      // The workers go on: a user that they delete meanwhile gets no order, and the run goes on.
      `INSERT IGNORE INTO chaos_orders SELECT id FROM users ORDER BY id DESC LIMIT ${REFERRED_ROWS}`,
    ],
    mend: ['DROP TABLE IF EXISTS chaos_orders'],
    stops: 'some',
  },
]

/** Mends the changes that an interrupted run may have left. */
export async function mendApplication(query: Query): Promise<void> {
  for (const statement of DRIFTS.flatMap(({ mend }) => mend)) await query(statement)
}
