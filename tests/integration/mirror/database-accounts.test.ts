import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { type Account, type AccountsDatabase, openAccountsDatabase } from '../../support/mysql/accounts.js'

let database: AccountsDatabase
beforeAll(async () => {
  database = await openAccountsDatabase()
})
afterAll(() => database?.[Symbol.asyncDispose]())

/** The number of the server's error; null when it does as asked. */
async function refusal(account: Account, sql: string): Promise<number | null> {
  await using connection = await connectOnce(parseDatabaseUrl(database.url(account)))
  return await connection.query(sql).then(
    () => null,
    (error: { errno: number }) => error.errno,
  )
}

const [TABLE_DENIED, COLUMN_DENIED, ACCESS_DENIED] = [1142, 1143, 1044]

test.each<[Account, string]>([
  ['worker', 'SELECT data FROM clerk_objects'],
  ['console', 'SELECT id, deleted_at FROM clerk_objects'],
  ['profiles', 'SELECT username, tagline FROM users'],
  ['cli', 'SELECT * FROM operator_actions'],
])('the account of %s may do what it is for: %s', async (account, sql) => {
  expect(await refusal(account, sql)).toBe(null)
})

test.each<[Account, string, number]>([
  ['worker', 'SELECT * FROM operator_actions', TABLE_DENIED],
  ['worker', 'DELETE FROM webhook_events', TABLE_DENIED],
  ['worker', 'INSERT INTO blocks (user_id, type) VALUES (1, 1)', TABLE_DENIED],
  ['console', 'SELECT data FROM clerk_objects', COLUMN_DENIED],
  ['console', 'SELECT username FROM users', TABLE_DENIED],
  ['console', 'UPDATE clerk_objects SET deleted_at = NULL', TABLE_DENIED],
  ['console', 'DELETE FROM operator_actions', TABLE_DENIED],
  ['profiles', 'SELECT email FROM users', COLUMN_DENIED],
  ['profiles', "UPDATE users SET username = 'ada'", COLUMN_DENIED],
  ['profiles', 'SELECT data FROM clerk_objects', COLUMN_DENIED],
  ['profiles', 'SELECT * FROM webhook_events', TABLE_DENIED],
  ['cli', 'DELETE FROM operator_actions', TABLE_DENIED],
  ['cli', 'DELETE FROM webhook_events', TABLE_DENIED],
  ['migrate', 'CREATE DATABASE clerk_mirror_of_somebody', ACCESS_DENIED],
])('the account of %s is refused what it is not for: %s', async (account, sql, errno) => {
  expect(await refusal(account, sql)).toBe(errno)
})

test.each<Account>(['worker', 'console', 'profiles', 'cli'])('the account of %s changes no table', async (account) => {
  expect(await refusal(account, 'DROP TABLE users')).toBe(TABLE_DENIED)
  expect(await refusal(account, 'ALTER TABLE users ADD COLUMN mine INT')).toBe(TABLE_DENIED)
  expect(await refusal(account, 'CREATE TABLE mine (id INT)')).toBe(TABLE_DENIED)
})
