import { Failure } from '@clerk-mirror/events'
import { DatabaseConnectError } from './connect-failure.js'
import { onFreshConnection } from './connection.js'
import type { DatabaseOptions } from './database-url.js'
import { classify } from './failures.js'
import { upsert } from './sql.js'

/** A stub among the heads, and so no head to anybody: the one row that it costs to ask whether writes commit. */
const CANARY_ID = 'clerk-mirror-canary'

/**
 * A small committed write on a fresh connection. It answers whether the database works, for the tables that matter and
 * for the account that matters, where a failed batch only says that something went wrong.
 *
 * @throws Failure of class `outage` that names the cause.
 */
export async function canary(options: DatabaseOptions): Promise<void> {
  const columns = ['id', 'kind', 'updated_at_ms', 'timestamp_ms', 'synced_at']
  const rows = [[CANARY_ID, 'canary', 0, 0, new Date()]]
  const statement = upsert({ table: 'clerk_objects', columns, updates: ['synced_at'], rows })
  try {
    await onFreshConnection(options, (connection) => connection.query(statement.sql, statement.values))
  } catch (error) {
    if (error instanceof DatabaseConnectError) throw new Failure('outage', error.code, error.message, error)
    const failure = classify(error)
    throw new Failure('outage', failure.code, failure.message, error)
  }
}
