import { type Mirror, openMirror, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { expect, test } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { userCreated } from '../../support/builders.js'
import { documented } from '../../support/documented.js'
import { openAccountsDatabase } from '../../support/mysql/accounts.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

/*
 * The canary says whether the database works for all that a worker does, and leaves nothing behind.
 */

const reactions = {
  interests: () => ({ to: () => [], wantUpdatesOf: () => false }),
  areCurrent: async () => true,
  onRequested: () => {},
}
const open = (database: TestDatabase): Mirror => openMirror(database.options, { reactions })

const verdict = (mirror: Mirror): Promise<string> =>
  mirror.canary().then(
    () => 'works',
    (failure) => `${failure.class} ${failure.code}`,
  )

/** The tables that a worker writes, and of those that it shares, the columns that it does not. */
const WRITTEN = [
  ...['clerk_objects', 'webhook_events', 'reaction_outbox', 'users', 'organizations'],
  ...['organization_memberships', 'organization_invitations', 'organization_domains'],
]
const NOT_WRITTEN = ['users.tagline', 'users.listed_at']

type Column = { tableName: string; name: string; type: string }
const columnsOf = async (database: TestDatabase): Promise<Column[]> => {
  const columns = await database.query<Column>(
    'SELECT TABLE_NAME AS tableName, COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS ' +
      `WHERE TABLE_SCHEMA = DATABASE() AND EXTRA NOT LIKE '%auto_increment%'`,
  )
  return columns.filter(
    ({ tableName, name }) => WRITTEN.includes(tableName) && !NOT_WRITTEN.includes(`${tableName}.${name}`),
  )
}

test('a table or a column that is missing is an outage, whichever it is', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = open(database)
  await using connection = await connectOnce(database.options)
  // It is made from others, which could not be renamed.
  await connection.query('DROP INDEX users_listed_at_id_idx ON users')
  await connection.query('ALTER TABLE users DROP COLUMN listed_at')
  for (const table of [...WRITTEN, 'blocks']) {
    await connection.query(`RENAME TABLE ${table} TO elsewhere`)
    expect({ table, verdict: await verdict(mirror) }).toEqual({ table, verdict: 'outage mysql_1146' })
    await connection.query(`RENAME TABLE elsewhere TO ${table}`)
  }
  const columns = await columnsOf(database)
  expect(columns.length).toBeGreaterThan(60)
  for (const { tableName, name } of columns) {
    await connection.query(`ALTER TABLE ${tableName} RENAME COLUMN ${name} TO elsewhere`)
    const column = `${tableName}.${name}`
    expect({ column, verdict: await verdict(mirror) }).toEqual({ column, verdict: 'outage mysql_1054' })
    await connection.query(`ALTER TABLE ${tableName} RENAME COLUMN elsewhere TO ${name}`)
  }
  expect(await verdict(mirror)).toBe('works')
})

test('a right that is missing is an outage, and the documented ones are enough', { timeout: 600_000 }, async () => {
  await using database = await openAccountsDatabase()
  await using mirror = openMirror(parseDatabaseUrl(database.url('worker')), { reactions })
  expect(await verdict(mirror)).toBe('works')
  const grants = [...(documented('sql')[1] ?? '').matchAll(/^GRANT (.*) ON (\S+) TO clerk_mirror_worker;$/gm)]
  // The installation's mark has a guard of its own, and a note of a future version follows the commit and stops no
  // event.
  const ofEvents = grants.filter(([, , table = '']) => !/\.(?:installation|future_versions)$/.test(table))
  expect(ofEvents.length).toBeGreaterThan(8)
  for (const [, rights = '', table = ''] of ofEvents) {
    for (const right of rights.split(', ')) {
      await database.run([`REVOKE ${right} ON ${table} FROM clerk_mirror_worker`])
      const found = { table, right, verdict: await verdict(mirror) }
      expect(found).toEqual({ table, right, verdict: expect.stringMatching(/^outage mysql_114[23]$/) })
      await database.run([`GRANT ${right} ON ${table} TO clerk_mirror_worker`])
    }
  }
})

test('a column that does not give back its text is an outage that names it', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = open(database)
  await using connection = await connectOnce(database.options)
  // Ids and names of Clerk's and ours are ASCII, and columns of their own character set.
  const [{ ascii }] = await connection.query(
    'SELECT GROUP_CONCAT(TABLE_NAME, ".", COLUMN_NAME) AS ascii FROM information_schema.COLUMNS ' +
      "WHERE TABLE_SCHEMA = DATABASE() AND CHARACTER_SET_NAME = 'ascii'",
  )
  const texts = (await columnsOf(database)).filter(
    ({ tableName, name, type }) => /char|text/.test(type) && !ascii.split(',').includes(`${tableName}.${name}`),
  )
  expect(texts.length).toBeGreaterThan(20)
  for (const { tableName, name } of texts) {
    for (const verb of ['INSERT', 'UPDATE']) {
      const altered = `SET NEW.${name} = REPLACE(NEW.${name}, '\u{1f600}', '?')`
      await connection.query(`CREATE TRIGGER odd_${verb} BEFORE ${verb} ON ${tableName} FOR EACH ROW ${altered}`)
    }
    const message = expect.stringContaining(`(${tableName}.${name})`)
    await expect(mirror.canary()).rejects.toMatchObject({ class: 'outage', code: 'database_text_altered', message })
    for (const verb of ['INSERT', 'UPDATE']) await connection.query(`DROP TRIGGER odd_${verb}`)
  }
  expect(await verdict(mirror)).toBe('works')
})

test('what the application forbids single rows is no outage, and hides none', async () => {
  await using database = await openTestDatabase()
  await using mirror = open(database)
  const refuse = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
  for (const sql of [
    'CREATE UNIQUE INDEX one_name ON users (username)',
    'CREATE TABLE orders (user_id BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))',
    "ALTER TABLE users ADD CONSTRAINT plain CHECK (username REGEXP '^[a-z]*$')",
    `CREATE TRIGGER no_organization BEFORE INSERT ON organizations FOR EACH ROW ${refuse}`,
  ])
    await database.query(sql)
  expect(await verdict(mirror)).toBe('works')
  await database.query('ALTER TABLE organization_domains RENAME COLUMN verified TO is_verified')
  expect(await verdict(mirror)).toBe('outage mysql_1054')
})

test('nothing is left of it but its one row, and it waits for no other process', async () => {
  await using database = await openTestDatabase()
  await using mirror = open(database)
  await mirror.apply([userCreated('user_1')])
  const contents = async () =>
    Promise.all(
      [...WRITTEN, 'blocks'].map((table) =>
        database.query(`SELECT * FROM ${table} ${table === 'clerk_objects' ? "WHERE kind <> 'canary'" : ''}`),
      ),
    )
  const before = await contents()
  await using rival = await connectOnce(database.options)
  await rival.query('START TRANSACTION')
  const other = 'clerk-mirror-canary-0123456789abcdef-0'
  await rival.query('INSERT INTO clerk_objects (id, kind, updated_at_ms, timestamp_ms) VALUES (?, ?, 0, 0)', [
    other,
    'x',
  ])
  await rival.query('INSERT INTO users (clerk_id, username) VALUES (?, ?)', [other, other])
  expect(await verdict(mirror)).toBe('works')
  await rival.query('ROLLBACK')
  expect(await contents()).toEqual(before)
  expect(await database.query("SELECT id FROM clerk_objects WHERE kind = 'canary'")).toEqual([
    { id: 'clerk-mirror-canary' },
  ])
})

test('a row that is held is no outage, a table that is locked is one', { timeout: 600_000 }, async () => {
  await using database = await openTestDatabase()
  await using mirror = open(database)
  await mirror.apply([userCreated('user_1')])
  // Idle for long, which neither end may break off.
  await using rival = await connectOnce(database.options, 'migration')
  await rival.query('SET SESSION wait_timeout = 600')
  await rival.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await rival.query('START TRANSACTION')
  // With its gaps: no user can be added.
  await rival.query('SELECT * FROM users FOR UPDATE')
  expect(await verdict(mirror)).toBe('works')
  await rival.query('ROLLBACK')
  await rival.query('LOCK TABLES users WRITE')
  const locked = { class: 'outage', message: expect.stringContaining('a table is locked') }
  await expect(mirror.canary()).rejects.toMatchObject(locked)
  await rival.query('UNLOCK TABLES')
  expect(await verdict(mirror)).toBe('works')
})
