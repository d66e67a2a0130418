// R4: only the rows. The driver writes the mirror's rows of these events, in transactions of as many events and as many
// at a time as the mirror's worker has, with three multi-row statements each: the database's own share. {database,
// lanes, batch} and then runs {file}. Answered with how long they took.
import { readFileSync } from 'node:fs'
import { createPool } from 'mariadb'

const LEDGER = 'event_id,type,object_id,instance_id,source,outcome,attempts,received_at,applied_at'
const HEADS = 'id,kind,updated_at_ms,timestamp_ms,event_id,synced_at,deleted_at,data'
const USERS =
  'clerk_id,username,first_name,last_name,display_name,email,img_url,external_id,banned,locked,two_factor_enabled,' +
  'public_metadata,last_sign_in_at,created_at,updated_at,synced_at'

function upsert(table, columns, rows, keep) {
  const names = columns.split(',')
  const row = `(${names.map(() => '?').join(',')})`
  const updates = keep ? `${names[0]}=${names[0]}` : names.slice(1).map((name) => `${name}=VALUES(${name})`)
  const values = new Array(rows.length).fill(row).join(',')
  return [`INSERT INTO ${table} (${columns}) VALUES ${values} ON DUPLICATE KEY UPDATE ${updates}`, rows.flat()]
}

const time = (ms) => (typeof ms === 'number' ? new Date(ms) : null)

function rowsOf({ eventId, body }) {
  const { type, data: user, timestamp, instance_id: instanceId } = JSON.parse(body)
  const now = new Date()
  const deleted = type === 'user.deleted'
  const ledger = [eventId, type, user.id, instanceId, 'clerk', 'applied', 1, now, now]
  const updatedAtMs = user.updated_at ?? timestamp
  const text = deleted ? null : JSON.stringify(user).toWellFormed()
  const head = [user.id, 'user', updatedAtMs, timestamp, eventId, now, deleted ? time(timestamp) : null, text]
  if (deleted) return { ledger, head, user: null }
  const cut = (value, width) => value?.toWellFormed().slice(0, width) ?? null
  const names = [user.username, user.first_name, user.last_name].map((name) => cut(name, 119))
  const display = cut([user.first_name, user.last_name].filter(Boolean).join(' '), 249)
  const more = [display, user.email_addresses[0]?.email_address ?? null, cut(user.image_url, 500), user.external_id]
  const flags = [user.banned, user.locked, user.two_factor_enabled, JSON.stringify(user.public_metadata)]
  const times = [time(user.last_sign_in_at), time(user.created_at), time(user.updated_at), now]
  return { ledger, head, user: [user.id, ...names, ...more, ...flags, ...times] }
}

async function insertAll(pool, file, { lanes, batch }) {
  const events = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const batches = []
  for (let from = 0; from < events.length; from += batch) batches.push(events.slice(from, from + batch).map(rowsOf))
  const beganAtMs = performance.now()
  const todo = batches.values()
  const lane = async () => {
    const connection = await pool.getConnection()
    for (const rows of todo) {
      const byKey = (one, other) => (one[0] < other[0] ? -1 : 1)
      await connection.beginTransaction()
      await connection.query(...upsert('webhook_events', LEDGER, rows.map(({ ledger }) => ledger).sort(byKey), true))
      await connection.query(...upsert('clerk_objects', HEADS, rows.map(({ head }) => head).sort(byKey)))
      const users = rows.flatMap(({ user }) => (user ? [user] : [])).sort(byKey)
      if (users.length > 0) await connection.query(...upsert('users', USERS, users))
      await connection.commit()
    }
    await connection.release()
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return performance.now() - beganAtMs
}

let pool
let options
process.on('message', async (order) => {
  if (pool) {
    const tookMs = await insertAll(pool, order.file, options).catch((error) => error)
    return process.send(tookMs instanceof Error ? { fault: tookMs.message } : { result: tookMs })
  }
  options = order
  const init = 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'
  pool = createPool({ ...order.database, connectionLimit: order.lanes, initSql: init })
  process.send({ result: null })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
