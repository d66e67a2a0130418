import { createConnection, createPool } from 'mariadb'
import { databaseAddress } from './database-address.js'
import type { Found, FoundObject } from './differences.js'
import { StartFault } from './faults.js'
import type { Row } from './model.js'

/** The mirror's tables from outside: read with the bare driver, without the mirror's code. */
export interface Tables extends AsyncDisposable {
  areEmpty(): Promise<boolean>
  /** The outcome of each of these events that has a row in the ledger. */
  outcomesOf(eventIds: readonly string[]): Promise<Map<string, string>>
  /** The total number of rows in the ledger. */
  ledgerRows(): Promise<number>
  /** Rows and object rows of these users; without ids, of all users. */
  read(clerkIds?: readonly string[]): Promise<Found>
  /** The oldest users, and the total number. */
  firstUsers(limit: number): Promise<{ rows: Row[]; total: number }>
}

/** This many ids in one statement keep it far below any server's `max_allowed_packet`. */
const IDS_PER_STATEMENT = 1000
// A person waits for the first, and a frozen server is given time to wake up during the second.
const CONNECT_WITHIN_MS = 5000
const ANSWER_WITHIN_MS = 60_000

const COLUMNS = [
  ...['clerk_id', 'username', 'first_name', 'last_name', 'display_name', 'email', 'img_url', 'external_id'],
  ...['banned', 'locked', 'two_factor_enabled', 'created_at', 'updated_at', 'last_sign_in_at', 'public_metadata'],
].join(', ')

/** Without stubs: a stub only reserves a row for a lock or a probe, and is no object to readers. */
const OBJECTS = '(SELECT * FROM clerk_objects WHERE event_id IS NOT NULL OR deleted_at IS NOT NULL) AS objects'

/** Throws StartFault when the server cannot be reached. Afterwards it may come and go. */
export async function openTables(databaseUrl: string): Promise<Tables> {
  const address = databaseAddress(databaseUrl)
  const config = {
    ...address,
    // Dates as text: the driver would read them in this machine's time zone.
    dateStrings: true,
    bigIntAsNumber: true,
    connectTimeout: CONNECT_WITHIN_MS,
    socketTimeout: ANSWER_WITHIN_MS,
  }
  // A pool connects again by itself, but hides why it cannot connect at all.
  const first = await createConnection(config).catch((error: Error & { code?: string }) => {
    const reason = error.code ?? error.message
    throw new StartFault(`the database at ${address.host}:${address.port} cannot be read: ${reason}`)
  })
  await first.end()
  const pool = createPool({ ...config, connectionLimit: 1, acquireTimeout: 2 * CONNECT_WITHIN_MS })
  const query = async <R>(sql: string, values?: unknown[]): Promise<R[]> => pool.query(sql, values)
  const count = async (from: string) => (await query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${from}`))[0]?.n ?? 0
  const inChunks = async <R>(sql: string, column: string, ids: readonly string[] | undefined): Promise<R[]> => {
    if (ids === undefined) return query<R>(sql)
    const rows: R[] = []
    for (let from = 0; from < ids.length; from += IDS_PER_STATEMENT) {
      const chunk = ids.slice(from, from + IDS_PER_STATEMENT)
      for (const row of await query<R>(`${sql} WHERE ${column} IN (?)`, [chunk])) rows.push(row)
    }
    return rows
  }
  return {
    async areEmpty() {
      return (await count('users')) + (await count(OBJECTS)) + (await count('webhook_events')) === 0
    },
    async outcomesOf(eventIds) {
      const sql = 'SELECT event_id, outcome FROM webhook_events'
      const rows = await inChunks<{ event_id: string; outcome: string }>(sql, 'event_id', eventIds)
      return new Map(rows.map((row) => [row.event_id, row.outcome]))
    },
    ledgerRows: () => count('webhook_events'),
    async read(clerkIds) {
      const users = await inChunks<UserRow>(`SELECT ${COLUMNS} FROM users`, 'clerk_id', clerkIds)
      const objects = await inChunks<ObjectRow>(`SELECT * FROM ${OBJECTS}`, 'id', clerkIds)
      return {
        users: new Map(users.map((row) => [row.clerk_id, userOf(row)])),
        objects: new Map(objects.map((row) => [row.id, objectOf(row)])),
      }
    },
    async firstUsers(limit) {
      const rows = await query<UserRow>(`SELECT ${COLUMNS} FROM users ORDER BY id LIMIT ?`, [limit])
      return { rows: rows.map(userOf), total: await count('users') }
    },
    async [Symbol.asyncDispose]() {
      await pool.end()
    },
  }
}

type UserRow = Row & { clerk_id: string }

interface ObjectRow {
  id: string
  updated_at_ms: number
  timestamp_ms: number
  event_id: string | null
  deleted_at: string | null
  data: string | null
}

function userOf({ clerk_id: _key, ...row }: UserRow): Row {
  for (const flag of ['banned', 'locked', 'two_factor_enabled']) row[flag] = row[flag] === 1
  for (const time of ['created_at', 'updated_at', 'last_sign_in_at']) row[time] = timeMs(row[time])
  return row
}

const timeMs = (text: unknown) => (typeof text === 'string' ? Date.parse(`${text.replace(' ', 'T')}Z`) : null)

function objectOf(row: ObjectRow): FoundObject {
  return {
    updatedAtMs: row.updated_at_ms,
    timestampMs: row.timestamp_ms,
    eventId: row.event_id,
    deleted: row.deleted_at !== null,
    data: row.data,
  }
}
