import { Failure } from '@clerk-mirror/events'
import { type DecodedEvent, type Mirror, openMirror } from '@clerk-mirror/mirror'
import { expect, test } from 'vitest'
import { userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { until } from '../../support/until.js'

const users = (count: number) =>
  Array.from({ length: count }, (_, index) => userCreated(`user_${index}`, { data: { username: `u${index}` } }))
const kinds = (results: Awaited<ReturnType<Mirror['apply']>>) =>
  results.map((result) =>
    result.kind === 'decided' ? result.outcome : `${result.failure.class} ${result.failure.code}`,
  )

async function countOf(database: TestDatabase, table: string): Promise<number> {
  const [row] = await database.query<{ n: bigint }>(`SELECT COUNT(*) AS n FROM ${table}`)
  return Number(row?.n)
}

test('an event whose value the database refuses fails alone, and the rest of its batch is applied', async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await database.query("ALTER TABLE users ADD CONSTRAINT no_poison CHECK (username <> 'poison')")
  const batch = users(20)
  batch[7] = userCreated('user_7', { data: { username: 'poison' } })
  const results = kinds(await mirror.apply(batch))
  expect(results.filter((result) => result === 'applied')).toHaveLength(19)
  // MariaDB calls a violated check 4025, MySQL 3819.
  expect(results[7]).toMatch(/^poison mysql_(4025|3819)$/)
  expect(await countOf(database, 'users')).toBe(19)
  expect(await countOf(database, 'webhook_events')).toBe(19)
})

test('a failure never tells the value that caused it', async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await database.query('ALTER TABLE users MODIFY username VARCHAR(3)')
  const [result] = await mirror.apply([userCreated('user_1', { data: { username: 'PERSONAL' } })])
  if (result?.kind !== 'failed') throw new Error('expected a failure')
  expect(result.failure).toMatchObject({ class: 'poison', code: 'mysql_1406' })
  expect(`${result.failure.message}${result.failure.code}`).not.toContain('PERSONAL')
})

test.each<[string, string, RegExp]>([
  ['a table is missing', 'DROP TABLE blocks', /mysql_1146/],
  ['a column is missing', 'ALTER TABLE users DROP COLUMN locked', /mysql_1054/],
])('when %s that is an outage, and no event is blamed', async (_, sql, code) => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await mirror.apply([userCreated('user_1')])
  await database.query('INSERT INTO blocks (user_id, type) SELECT id, 1 FROM users')
  await database.query(sql)
  const failure = await mirror.apply([userCreated('user_2'), userDeleted('user_1')]).catch((error) => error)
  expect(failure).toBeInstanceOf(Failure)
  expect(failure).toMatchObject({ class: 'outage', code: expect.stringMatching(code) })
})

test('a column without a default that the application adds is an outage that says what to do', async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await database.query('ALTER TABLE users ADD plan VARCHAR(20) NOT NULL')
  const failure = await mirror.apply(users(20)).catch((error) => error)
  expect(failure).toMatchObject({ class: 'outage', code: 'mysql_1364', message: expect.stringContaining('give it a') })
  expect(await countOf(database, 'webhook_events')).toBe(0)
  await database.query("ALTER TABLE users ALTER COLUMN plan SET DEFAULT ''")
  expect(new Set(kinds(await mirror.apply(users(20))))).toEqual(new Set(['applied']))
})

const REFUSE = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
test.each([
  [
    'a foreign key',
    'mysql_1451',
    [
      'CREATE TABLE orders (user_id BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))',
      "INSERT INTO orders SELECT id FROM users WHERE clerk_id = 'user_7'",
    ],
  ],
  [
    'a trigger',
    'mysql_1644',
    [`CREATE TRIGGER keep BEFORE DELETE ON users FOR EACH ROW IF OLD.clerk_id = 'user_7' THEN ${REFUSE}; END IF`],
  ],
])('%s of the application stops the delete of one user, and nobody else', async (_, code, statements) => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await mirror.apply(users(20))
  for (const statement of statements) await database.query(statement)
  const batch = Array.from({ length: 20 }, (_, index) => userDeleted(`user_${index}`, { at: 2000 }))
  const results = kinds(await mirror.apply(batch))
  expect(results[7]).toBe(`blocked ${code}`)
  expect(results.filter((result) => result === 'applied')).toHaveLength(19)
})

test('a database that cannot be reached is an outage that names its cause', async () => {
  await using database = await openTestDatabase()
  await using unreachable = openMirror({ ...database.options, port: 1 })
  await expect(unreachable.apply(users(1))).rejects.toMatchObject({ class: 'outage', code: 'database_unreachable' })
  await using stranger = openMirror({ ...database.options, password: 'wrong' })
  await expect(stranger.canary()).rejects.toMatchObject({ class: 'outage', code: 'database_login_refused' })
})

test('a transaction that the server kills is done again, and blames nobody', async () => {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await mirror.apply([userCreated('user_held')])
  const { connectOnce } = await import('../../../packages/mirror/src/database/connection.js')
  await using rival = await connectOnce(database.options)
  await rival.query('BEGIN')
  await rival.query("SELECT id FROM clerk_objects WHERE id = 'user_held' FOR UPDATE")
  const applying = mirror.apply([userUpdated('user_held', { at: 2000, data: { username: 'later' } }), ...users(10)])
  const ofMirror =
    "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'INSERT INTO clerk_objects%'"
  let waiting: { ID: bigint }[] = []
  await until(async () => {
    waiting = await database.query<{ ID: bigint }>(ofMirror, [database.options.database])
    return waiting.length > 0
  })
  await rival.query(`KILL ${waiting[0]?.ID}`)
  await rival.query('ROLLBACK')
  expect(new Set(kinds(await applying))).toEqual(new Set(['applied']))
  expect(await countOf(database, 'users')).toBe(11)
})

test('four workers that hold the same events, in any order and more than once, decide each event once', async () => {
  await using database = await openTestDatabase()
  const events: DecodedEvent[] = []
  for (let person = 0; person < 40; person += 1) {
    const id = `user_${person}`
    for (let at = 1; at <= 5; at += 1) events.push(userUpdated(id, { at, data: { username: `v${at}` } }))
    if (person % 4 === 0) events.push(userDeleted(id, { at: 3 }))
  }
  const work = async (seed: number) => {
    await using mirror = openMirror(database.options)
    const mine = [...events].sort((a, b) => hash(`${a.entry.eventId}${seed}`) - hash(`${b.entry.eventId}${seed}`))
    const outcomes: string[] = []
    for (let from = 0; from < mine.length; from += 16)
      outcomes.push(...kinds(await mirror.apply(mine.slice(from, from + 16))))
    return outcomes
  }
  const outcomes = (await Promise.all([1, 2, 3, 4].map(work))).flat()
  expect(outcomes.filter((outcome) => outcome !== 'duplicate')).toHaveLength(events.length)
  expect(await countOf(database, 'webhook_events')).toBe(events.length)
  const rows = await database.query<{ clerk_id: string; username: string }>('SELECT clerk_id, username FROM users')
  expect(new Set(rows.map((row) => row.username))).toEqual(new Set(['v5']))
  expect(rows).toHaveLength(30)
})

const hash = (text: string) => [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 1_000_003, 7)
