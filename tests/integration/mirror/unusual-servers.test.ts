import { openMirror } from '@clerk-mirror/mirror'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectOnce, onFreshConnection } from '../../../packages/mirror/src/database/connection.js'
import { migrate } from '../../../packages/mirror/src/migrate/migrate.js'
import { migrationStatus } from '../../../packages/mirror/src/operate/migration-status.js'
import { userCreated } from '../../support/builders.js'
import { MIGRATIONS } from '../../support/mysql/database.js'
import { isOddDatabasePossible, type OddDatabase, openOddDatabase } from '../../support/mysql/private-database.js'

/*
 * Servers with other settings than those that our sessions rely on.
 */
const isPossible = await isOddDatabasePossible()
if (!isPossible) console.warn('SKIPPED: servers with odd settings, because no database server is installed')

const migrated = ({ options }: OddDatabase) => migrate(options, { folder: MIGRATIONS, log: () => undefined })

const ODD_SESSION =
  "SET NAMES latin1, sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES', time_zone='+05:00', autocommit=0, sql_select_limit=1, " +
  'foreign_key_checks=0, unique_checks=0, completion_type=1, sql_safe_updates=1'
const DEAD_LETTERS = 'Zoë Ａda \u{1f600} a\u0301 \'one\' "two" `three` \\ \\\\ \\n % _ ?'

describe.skipIf(!isPossible)('a server that hands every session the wrong settings', () => {
  let database: OddDatabase
  beforeAll(async () => {
    database = await openOddDatabase([
      '--skip-character-set-client-handshake',
      '--character-set-server=latin1',
      '--collation-server=latin1_swedish_ci',
      `--init-connect=${ODD_SESSION}`,
      '--default-storage-engine=MyISAM',
      '--transaction-isolation=SERIALIZABLE',
    ])
    await migrated(database)
  })
  afterAll(() => database?.[Symbol.asyncDispose]())

  test('stores the letters that it was sent, in tables with transactions', async () => {
    await using mirror = openMirror(database.options)
    await mirror.canary()
    const data = { username: DEAD_LETTERS, first_name: DEAD_LETTERS, public_metadata: { [DEAD_LETTERS]: DEAD_LETTERS } }
    const people = Array.from({ length: 3 }, (_, index) => userCreated(`user_${index}`, { data }))
    expect(await mirror.apply(people)).toEqual(people.map(() => ({ kind: 'decided', outcome: 'applied' })))
    await using connection = await connectOnce(database.options)
    const rows = await connection.query('SELECT username, first_name, public_metadata FROM users')
    const stored = {
      username: DEAD_LETTERS,
      first_name: DEAD_LETTERS,
      public_metadata: JSON.stringify({ [DEAD_LETTERS]: DEAD_LETTERS }),
    }
    expect(rows).toEqual([stored, stored, stored])
    const [{ hex }] = await connection.query('SELECT HEX(username) AS hex FROM users LIMIT 1')
    expect(Buffer.from(hex, 'hex').toString()).toBe(DEAD_LETTERS)
    const engines = await connection.query(
      'SELECT DISTINCT ENGINE AS engine FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()',
    )
    expect(engines).toEqual([{ engine: 'InnoDB' }])
  })

  test.each(['work', 'migration'] as const)('and a %s session has those that it relies on', async (purpose) => {
    await using connection = await connectOnce(database.options, purpose)
    const [row] = await connection.query(
      'SELECT @@character_set_client AS client, @@character_set_results AS results, @@collation_connection AS coll, ' +
        '@@sql_mode AS mode, @@time_zone AS zone, @@autocommit AS autocommit, @@foreign_key_checks AS fk, ' +
        '@@unique_checks AS uk, @@sql_safe_updates AS safe, @@completion_type AS completion, ' +
        '@@sql_select_limit > 1000000 AS hasNoLimit',
    )
    const plain = Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value])
    expect(Object.fromEntries(plain)).toEqual({
      ...{ client: 'utf8mb4', results: 'utf8mb4', coll: 'utf8mb4_unicode_ci' },
      ...{ mode: 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', zone: '+00:00' },
      ...{ autocommit: 1, fk: 1, uk: 1, safe: 0, completion: 'NO_CHAIN', hasNoLimit: 1 },
    })
  })

  test('a column that gives back other letters is an outage, by name', async () => {
    await using mirror = openMirror(database.options)
    const trigger = 'CREATE TRIGGER odd BEFORE INSERT ON users FOR EACH ROW SET NEW.first_name = REPLACE('
    await onFreshConnection(database.options, (connection) =>
      connection.query(`${trigger}NEW.first_name, '\u{1f600}', '?')`),
    )
    const failure = { class: 'outage', code: 'database_text_altered', message: expect.stringContaining('first_name') }
    await expect(mirror.canary()).rejects.toMatchObject(failure)
    await onFreshConnection(database.options, (connection) => connection.query('DROP TRIGGER odd'))
    await mirror.canary()
  })
})

describe.skipIf(!isPossible)('a server that logs statements', () => {
  let database: OddDatabase
  beforeAll(async () => {
    database = await openOddDatabase(['--log-bin=binlog', '--server-id=1', '--binlog-format=STATEMENT'])
  })
  afterAll(() => database?.[Symbol.asyncDispose]())

  const refusal = { code: 'database_binlog_statement', message: expect.stringContaining('ROW or MIXED') }

  test('is not migrated: nothing was written when that is said', async () => {
    await expect(migrated(database)).rejects.toMatchObject(refusal)
    await using server = await connectOnce({ ...database.options, database: '' })
    expect(await server.query("SHOW DATABASES LIKE 'odd'")).toEqual([])
    await server.query('CREATE DATABASE odd')
    await expect(migrated(database)).rejects.toMatchObject(refusal)
    expect(await server.query('SHOW TABLES FROM odd')).toEqual([])
    expect((await migrationStatus(database.options, MIGRATIONS)).applied).toEqual([])
  })

  test('and gets no event of a worker: it is an outage', async () => {
    await using mirror = openMirror(database.options)
    await expect(mirror.canary()).rejects.toMatchObject({ class: 'outage', ...refusal })
  })
})
