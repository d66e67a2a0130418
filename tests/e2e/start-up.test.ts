import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { post, signUps } from '../support/http/deliveries.js'
import { Program, runToEnd } from '../support/processes/processes.js'
import { canOpenHouse, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`

/** A taken port, and its number of connections. */
async function openListener() {
  let calls = 0
  const server = createServer((socket) => {
    calls += 1
    socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return { port: typeof address === 'object' ? String(address?.port) : '', calls: () => calls }
}

const faultsIn = (stderr: string) => stderr.trimEnd().split('\n').slice(1)

describe('a faulty configuration', () => {
  test('of ingest is told whole, by name and without a value, and nothing is opened', async () => {
    const { port, calls } = await openListener()
    const env = {
      REDIS_URL: `redis://default:HUNTER-1@127.0.0.1:${port}/HUNTER-2`,
      CLERK_WEBHOOK_SIGNING_SECRET: `${newSecret()},whsec_HUNTER-3`,
      INGEST_PORT: 'HUNTER-4',
      ENVELOPE_KEYS: 'k1:HUNTER-5',
      METRICS_PORT: '65536',
      REDIS_ALLOW_EVICTION: 'maybe',
      LOG_LEVEL: 'loud',
    }
    const { code, stdout, stderr } = await runToEnd('ingest', { env })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const named = faultsIn(stderr).map((line) => line.trim().split(' ', 1).join())
    expect(named.toSorted()).toEqual(Object.keys(env).toSorted())
    expect(stderr).toContain('secret 2 of 2')
    expect(stderr).not.toContain('HUNTER')
    expect(calls()).toBe(0)
  })

  test('of a worker is told whole, by name and without a value, and nothing is opened', async () => {
    const { port, calls } = await openListener()
    const env = {
      REDIS_URL: `redis://default:HUNTER-1@127.0.0.1:${port}/x`,
      DATABASE_URL: `mysql://app:HUNTER/2@127.0.0.1:${port}/mirror`,
      MIRROR_KINDS: ' , ',
      ENVELOPE_KEYS: 'HUNTER-3',
      WORKER_PORT: '-1',
    }
    const { code, stdout, stderr } = await runToEnd('worker', { env })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const named = faultsIn(stderr).map((line) => line.trim().split(' ', 1).join())
    expect(named.toSorted()).toEqual(Object.keys(env).toSorted())
    expect(stderr).not.toContain('HUNTER')
    expect(calls()).toBe(0)
  })

  test('that is missing is told with an example of each setting', async () => {
    const { code, stderr } = await runToEnd('ingest', { env: { REDIS_URL: '', PORT: '0' } })
    expect(code).toBe(1)
    expect(faultsIn(stderr)).toEqual([
      expect.stringMatching(/^ {2}REDIS_URL is not set \(example: redis:.*\)$/),
      expect.stringMatching(/^ {2}CLERK_WEBHOOK_SIGNING_SECRET is not set \(example: whsec_.*\)$/),
    ])
  })
})

test.each([
  ['ingest', 'INGEST_PORT'],
  ['ingest', 'METRICS_PORT'],
  ['worker', 'WORKER_PORT'],
] as const)('a port of %s that is taken ends it, and it names the port and %s', async (app, setting) => {
  const { port } = await openListener()
  const nowhere = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'mysql://app:secret@127.0.0.1:1/mirror' }
  const ports = { INGEST_PORT: '0', METRICS_PORT: '0', WORKER_PORT: '0', [setting]: port }
  const env = { ...nowhere, ...ports, CLERK_WEBHOOK_SIGNING_SECRET: newSecret() }
  const { code, stdout } = await runToEnd(app, { env })
  expect(code).toBe(1)
  const line = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(line).toMatchObject({ level: 'error', event: 'process.start_failed', code: 'port_in_use' })
  expect(line.msg).toContain(`port ${port} `)
  expect(line.msg).toContain(setting)
})

test('a file .env in the working directory is read, and the environment wins over it', async () => {
  const redis = await openListener()
  const taken = await openListener()
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-env-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const settings = [
    `REDIS_URL=redis://127.0.0.1:${redis.port}`,
    `CLERK_WEBHOOK_SIGNING_SECRET="${newSecret()}" # of the dashboard`,
    `INGEST_PORT=${taken.port}`,
    'METRICS_PORT=0',
  ]
  writeFileSync(join(folder, '.env'), settings.join('\n'))
  await using ingest = new Program('ingest', { cwd: folder, env: { INGEST_PORT: '0' } })
  await ingest.says('process.started')
  await until(() => redis.calls() > 0)
})

test.skipIf(!(await canOpenHouse('own redis'))).each([
  ['a comma', ','],
  ['a space', ' '],
])('of two secrets, separated by %s, either signs events that are taken', async (_, separator) => {
  await using house = await openHouse('own redis')
  const [older, newer] = [newSecret(), newSecret()]
  const { url } = await house.ingest({ CLERK_WEBHOOK_SIGNING_SECRET: `${older}${separator}${newer}` })
  const [event] = signUps(1, 1)
  if (!event) throw new Error('somebody signs up')
  const statusWith = async (secret: string) => (await post({ url, secret }, event)).status
  await until(async () => (await statusWith(older)) === 202)
  await until(async () => (await statusWith(newer)) === 202)
  expect(await statusWith(newSecret())).toBe(401)
})
