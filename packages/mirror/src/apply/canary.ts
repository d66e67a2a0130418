import { randomBytes } from 'node:crypto'
import { decode, Failure, type TypedKind } from '@clerk-mirror/events'
import type { Connection } from 'mariadb'
import { refuseStatementLog } from '../database/binary-log.js'
import { DatabaseConnectError, unfit } from '../database/connect-failure.js'
import { onFreshConnection } from '../database/connection.js'
import { SHORT_LOCK_WAIT_TIMEOUT_S } from '../database/connection-limits.js'
import { throughContention } from '../database/contention.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { classify } from '../database/failures.js'
import { PROBE_TEXT } from '../database/session.js'
import { upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { TYPED_KINDS } from '../projections/rows.js'
import { PROJECTIONS } from '../projections/tables.js'
import { applyBatch, type DecodedEvent } from './apply.js'
import { outboxRemoval, type ReactionInterests } from './outbox.js'

/*
 * Asks the database, on a fresh connection, whether it works for the tables and the account that matter; a failed batch
 * alone does not tell. A small committed write, and then a transaction that does what a worker does and is rolled back.
 * That transaction runs the code which applies events, on made-up events of every kind that has a table, so it covers
 * each table, column and right that a worker needs, and no others.
 */

/** A stub in clerk_objects, which no reader takes for an object: the one row needed to ask whether writes commit. */
const CANARY_ID = 'clerk-mirror-canary'

/** Key of the rows that are rolled back: two processes that ask at once must not wait for each other. */
const OWN_ID = `${CANARY_ID}-${randomBytes(8).toString('hex')}`

export type CanaryOptions = { database: DatabaseOptions; requestsReactions: boolean; random: () => number }

/** @throws Failure of class `outage` that names the cause. */
export async function canary({ database, requestsReactions, random }: CanaryOptions): Promise<void> {
  try {
    await onFreshConnection(database, async (connection) => {
      await refuseStatementLog(connection, database)
      await throughContention(() => commitOne(connection), random)
      await connection.query(`SET SESSION innodb_lock_wait_timeout = ${SHORT_LOCK_WAIT_TIMEOUT_S}`)
      await rehearse(connection, database, requestsReactions ? EVERY_REACTION : null)
    })
  } catch (error) {
    if (error instanceof DatabaseConnectError) throw new Failure('outage', error.code, error.message, error)
    const failure = classify(error)
    throw new Failure('outage', failure.code, failure.message, error)
  }
}

function commitOne(connection: Connection): Promise<unknown> {
  const columns = ['id', 'kind', 'updated_at_ms', 'timestamp_ms', 'synced_at']
  const rows = [[CANARY_ID, 'canary', 0, 0, new Date()]]
  const { sql, values } = upsert({ table: 'clerk_objects', columns, updates: ['synced_at'], rows })
  return connection.query(sql, values)
}

const EVERY_REACTION: ReactionInterests = { to: () => [OWN_ID], wantUpdatesOf: () => true }

/**
 * Rehearses every kind at once, and kind by kind where one of them is obstructed. An index, a foreign key, a check or a
 * trigger of the application may refuse made-up rows, and another transaction may hold a gap: neither says anything
 * about the database. A failure of any other class does.
 */
async function rehearse(
  connection: Connection,
  database: DatabaseOptions,
  reactions: ReactionInterests | null,
): Promise<void> {
  const failure = await refusalOf(connection, database, TYPED_KINDS, reactions)
  // A transaction that holds a gap in one table would make this wait once for each kind.
  if (failure === null || failure.class === 'contention') return
  for (const kind of TYPED_KINDS) await refusalOf(connection, database, [kind], reactions)
}

/** @throws DatabaseConnectError, or the failure that shows that the database does not work. */
async function refusalOf(
  connection: Connection,
  database: DatabaseOptions,
  kinds: readonly TypedKind[],
  reactions: ReactionInterests | null,
): Promise<Failure | null> {
  const transaction = transactionOn(connection)
  await connection.query('START TRANSACTION')
  try {
    await applyBatch(transaction, kinds.flatMap(eventsOf), Date.now(), reactions)
    const altered = await alteredColumn(transaction, kinds, reactions !== null)
    if (altered !== null) throw unfit(database, 'database_text_altered', altered)
    await applyBatch(transaction, deletionsOf(kinds), Date.now(), reactions)
    if (reactions) await emptyOutbox(transaction)
    return null
  } catch (error) {
    if (error instanceof DatabaseConnectError) throw error
    const failure = classify(error)
    if (failure.class === 'outage' || failure.class === 'unknown') throw failure
    return failure
  } finally {
    // The next transaction's beginning would commit this one.
    await connection.query('ROLLBACK').catch(() => connection.destroy())
  }
}

/** As the relay removes the rows that it has enqueued. */
async function emptyOutbox(transaction: Transaction): Promise<void> {
  const rows = await transaction.query<{ id: bigint }>('SELECT id FROM reaction_outbox WHERE reaction=?', [OWN_ID])
  await transaction.execute(outboxRemoval(rows.map(({ id }) => id)))
}

const transactionOn = (connection: Connection): Transaction => ({
  execute: async ({ sql, values }) => Number((await connection.query(sql, values)).affectedRows),
  query: (sql, values) => connection.query(sql, [...values]),
})

const idOf = (kind: TypedKind) => `${OWN_ID}-${TYPED_KINDS.indexOf(kind)}`

/**
 * Contains this process' id, so that a unique index of the application does not make two processes wait for each other.
 */
const TEXT = `${OWN_ID} ${PROBE_TEXT}`

/** Members of Clerk's objects that columns are made from, with the same text in each. */
const OBJECT = {
  ...{ username: TEXT, first_name: TEXT, last_name: TEXT, image_url: TEXT, external_id: TEXT, name: TEXT, slug: TEXT },
  ...{ role: TEXT, status: TEXT, email_address: TEXT, enrollment_mode: TEXT, primary_email_address_id: 'idn_1' },
  email_addresses: [{ id: 'idn_1', email_address: TEXT }],
  public_metadata: { [TEXT]: TEXT },
  organization: { id: idOf('organization') },
  organization_id: idOf('organization'),
  public_user_data: { user_id: idOf('user') },
  user_id: idOf('user'),
}

/** The object appears, and a member with an odd name changes: reaction requests hold the names of changed members. */
const eventsOf = (kind: TypedKind): DecodedEvent[] => [
  arrivalOf(kind, 'created', { ...OBJECT, updated_at: 1 }),
  arrivalOf(kind, 'updated', { ...OBJECT, updated_at: 2, [TEXT]: TEXT }),
]

/** Deleting a user and an organization removes everything that names them. */
const deletionsOf = (kinds: readonly TypedKind[]): DecodedEvent[] =>
  kinds
    .filter((kind) => kinds.length === 1 || kind === 'user' || kind === 'organization')
    .map((kind) => arrivalOf(kind, 'deleted', {}))

function arrivalOf(kind: TypedKind, what: string, object: object): DecodedEvent {
  const [eventId, objectId, type] = [`${idOf(kind)}-${what}`, idOf(kind), `${kind}.${what}`]
  const body = JSON.stringify({ type, timestamp: 1, data: { ...object, id: objectId } })
  const entry = { eventId, type, objectId, instanceId: null, source: 'clerk' as const, receivedAtMs: 0, attempts: 1 }
  const decoded = decode({ ...entry, body }, () => true)
  return { entry, change: decoded.kind === 'change' ? decoded.change : null }
}

/** The first column that does not return the text that was written to it; null where all do. */
async function alteredColumn(
  transaction: Transaction,
  kinds: readonly TypedKind[],
  withOutbox: boolean,
): Promise<string | null> {
  for (const kind of kinds) {
    const { table, columns } = PROJECTIONS[kind]
    const written = eventsOf(kind).at(-1)?.change
    if (!written || written.deleted || !written.object) continue
    const object = written.object.object as never
    const expected = Object.entries(columns).flatMap(([name, column]) => {
      const value = column(object)
      return typeof value === 'string' ? [[name, value] as const] : []
    })
    const names = expected.map(([name]) => name).join(',')
    const [row] = await transaction.query<Record<string, string>>(`SELECT ${names} FROM ${table} WHERE clerk_id=?`, [
      idOf(kind),
    ])
    const altered = expected.find(([name, value]) => row?.[name] !== value)
    if (altered) return `${table}.${altered[0]}`
    const [stored] = await transaction.query<{ data: string }>('SELECT data FROM clerk_objects WHERE id=?', [
      idOf(kind),
    ])
    if (stored?.data !== written.data) return 'clerk_objects.data'
    const outbox = 'SELECT changed_fields FROM reaction_outbox WHERE event_id=? AND reaction=?'
    const values = [`${idOf(kind)}-updated`, OWN_ID]
    const [request] = withOutbox ? await transaction.query<{ changed_fields: string }>(outbox, values) : []
    if (withOutbox && !request?.changed_fields.includes(JSON.stringify(TEXT))) return 'reaction_outbox.changed_fields'
  }
  return null
}
