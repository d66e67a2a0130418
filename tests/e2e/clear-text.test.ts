import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { type App, Program, runToEnd } from '../support/processes/processes.js'
import { until } from '../support/until.js'

const madeUp = () => `whsec_${randomBytes(24).toString('base64')}`

/** Names that lead nowhere: each process starts without its servers, and says so at once. */
const REMOTE = {
  REDIS_URL: 'redis://worker:hunter2@redis.invalid:6379',
  DATABASE_URL: 'mysql://worker:hunter2@mysql.invalid/mirror?sslaccept=disabled',
}
/** No server listens on this port of this machine. */
const LOCAL = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'mysql://worker:hunter2@localhost:1/mirror' }
const ENCRYPTED = {
  REDIS_URL: 'rediss://worker:hunter2@redis.invalid:6379',
  DATABASE_URL: 'mysql://worker:hunter2@mysql.invalid/mirror',
}
const OTHERS = {
  CLERK_WEBHOOK_SIGNING_SECRET: madeUp(),
  CONSOLE_TOKEN: `ada:operator:${randomBytes(24).toString('hex')}`,
  ...{ INGEST_PORT: '0', METRICS_PORT: '0', WORKER_PORT: '0', CONSOLE_PORT: '0', PROFILES_PORT: '0' },
}

const STARTED: Readonly<Record<Exclude<App, 'cli'>, string>> = {
  ingest: 'ingest.listening',
  worker: 'health.listening',
  console: 'console.listening',
  profiles: 'profiles.listening',
}

/** The warnings of clear text in the log of a process that has started, and all of the log. */
async function warningsOf(app: Exclude<App, 'cli'>, env: Record<string, string>) {
  await using program = new Program(app, { env: { ...OTHERS, ...env } })
  await program.says(STARTED[app])
  await program.says('process.started')
  const warnings = program.lines.filter(({ event, level }) => level === 'warn' && event.endsWith('.clear_text'))
  return { events: warnings.map(({ event }) => event), log: program.stdout, lines: warnings }
}

test.each([
  ['ingest', ['redis.clear_text']],
  ['worker', ['redis.clear_text', 'mysql.clear_text']],
  ['console', ['redis.clear_text', 'mysql.clear_text']],
  ['profiles', ['mysql.clear_text']],
] as const)('%s says at its start that it reaches servers in clear text, and which', async (app, expected) => {
  const { events, log, lines } = await warningsOf(app, REMOTE)
  expect(events).toEqual(expected)
  for (const { host } of lines) expect(host).toMatch(/^(redis|mysql)\.invalid$/)
  expect(log).not.toContain('hunter2')
  expect((await warningsOf(app, LOCAL)).events).toEqual([])
  expect((await warningsOf(app, ENCRYPTED)).events).toEqual([])
})

test('the CLI says so beside what it prints', async () => {
  const { stdout, stderr } = await runToEnd('cli', { env: REMOTE, args: ['partitions', 'list', '--json'] })
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^redis\.invalid: events and the password travel to Redis in clear text/)
  expect(stderr).not.toContain('hunter2')
})

const WEBHOOKS = {
  CHANGE_WEBHOOK_URLS: 'http://billing.invalid/t0p https://billing.invalid/t0p http://127.0.0.1:9/t0p',
  CHANGE_WEBHOOK_SECRETS: madeUp(),
}

test('a receiver that is reached in clear text is warned of at the start, without its address', async () => {
  const { events, log } = await warningsOf('worker', {
    ...LOCAL,
    ...WEBHOOKS,
    NOTIFY_WEBHOOK_URL: 'http://chat.invalid/t0p',
  })
  expect(events).toEqual(['receiver.clear_text', 'notice.clear_text'])
  expect(log).toMatch(/"event":"receiver.clear_text","reaction":"webhook-[\da-f]{8}"/)
  expect(log).not.toContain('t0p')
})

test('with full payloads it is a fault of the configuration, but on this machine', async () => {
  const full = { ...OTHERS, ...LOCAL, ...WEBHOOKS, CHANGE_WEBHOOK_PAYLOAD: 'full' }
  const { code, stderr } = await runToEnd('worker', { env: full })
  expect(code).toBe(1)
  expect(stderr).toContain(
    'CHANGE_WEBHOOK_PAYLOAD must not be full while an address of CHANGE_WEBHOOK_URLS begins with http://',
  )
  expect(stderr).not.toContain('t0p')
  await using worker = new Program('worker', {
    env: { ...full, CHANGE_WEBHOOK_URLS: 'http://127.0.0.1:9/ https://billing.invalid/' },
  })
  await until(() => worker.logged('process.started').length > 0)
})
