import { partition } from '@clerk-mirror/queue/enqueue'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { runCommand } from '../../../apps/cli/src/run-command.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'
import { Written } from '../../support/written.js'

const REDIS_DATABASE = 11
const redisUrl = new URL(inject('redisUrl'))
redisUrl.pathname = `/${REDIS_DATABASE}`

/** Clears the screen, begins a line that looks like one of ours, and reverses the text after it. */
const EVIL = '\u001b[2J\u009b31m\nmsg_fake  user.deleted\r\u202e\u2028'
const COMMANDING = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u

let database: TestDatabase
let redis: Redis
const written = new Written()
beforeAll(async () => {
  database = await openTestDatabase()
  redis = new Redis(redisUrl.href)
  await redis.flushdb()
  const { key } = partition('{clerk-0}')
  const data = { objectId: `user_${EVIL}`, instanceId: `ins_${EVIL}`, source: 'clerk', body: `{"name":"${EVIL}"}` }
  const stack = `Error: ${EVIL}\n    at somewhere (${EVIL}:1:1)`
  await redis.hset(key('msg_evil'), {
    ...{ name: `user.created${EVIL}`, data: JSON.stringify(data), timestamp: 1, atm: 1 },
    ...{ failedReason: `unknown/x: ${EVIL}`, stacktrace: JSON.stringify([stack]) },
  })
  await redis.zadd(key('failed'), 1, 'msg_evil')
  await database.query(
    "INSERT INTO operator_actions (at, actor, action, subject_id, details, counts) VALUES (NOW(3), ?, 'replay', NULL, ?, '{}')",
    [`ada${EVIL}`, JSON.stringify({ filter: { reason: EVIL } })],
  )
})
afterAll(async () => {
  await redis.flushdb()
  redis.disconnect()
  await database[Symbol.asyncDispose]()
})
beforeEach(() => written.keep())
afterEach(() => void vi.restoreAllMocks())

const ops = (...words: string[]) => {
  written.clear()
  return runCommand(words, { DATABASE_URL: database.url, REDIS_URL: redisUrl.href })
}

test.each([
  ['dead-letters', 'list'],
  ['dead-letters', 'show', 'msg_evil'],
  ['dead-letters', 'show', 'msg_evil', '--payload'],
  ['trace', 'msg_evil'],
  ['audit', 'list'],
  ['status'],
])('%s %s prints nothing from outside that commands the terminal or begins a line', async (...words) => {
  expect(await ops(...words)).toBe(0)
  expect(written.out).not.toMatch(COMMANDING)
  expect(written.out).not.toMatch(/^msg_fake/m)
  if (words[0] !== 'status') expect(written.out).toContain('\\u001b[2J\\u009b31m\\u000amsg_fake')
})

test.each([
  ['dead-letters', 'list', '--json'],
  ['dead-letters', 'show', 'msg_evil', '--payload', '--json'],
  ['dead-letters', 'export', '--payload'],
  ['trace', 'msg_evil', '--json'],
  ['audit', 'list', '--json'],
])('%s %s %s prints JSON that says the same, and nothing that commands the terminal', async (...words) => {
  expect(await ops(...words)).toBe(0)
  expect(written.out).not.toMatch(COMMANDING)
  expect(JSON.stringify(JSON.parse(written.out))).toContain(JSON.stringify(EVIL).slice(1, -1))
})

test.each([
  ['dead-letters', 'show', `msg_${EVIL}`],
  ['trace', `msg_${EVIL}`],
  ['dead-letters', 'list', '--since', EVIL],
  [`no${EVIL}`],
])('what %s %s was given is shown escaped too', async (...words) => {
  expect(await ops(...words)).toBeGreaterThan(0)
  expect(written.note).not.toMatch(COMMANDING)
  expect(written.note).not.toMatch(/^msg_fake/m)
  expect(written.note).toContain('\\u001b[2J')
})
