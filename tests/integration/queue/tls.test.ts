import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documented } from '../../support/documented.js'
import { post } from '../../support/http/deliveries.js'
import { Program, runCli } from '../../support/processes/processes.js'
import { isTlsRedisPossible, openTlsRedis, type TlsRedis } from '../../support/queue/tls-redis.js'
import { SECRET } from '../../support/world.js'

const isPossible = await isTlsRedisPossible()
if (!isPossible) console.warn('SKIPPED: Redis over TLS, because redis-server or openssl is not installed')

const ACL = documented('acl').join('')
const USERS = ['ingest', 'worker', 'console', 'cli'] as const
type User = (typeof USERS)[number]

let redis: TlsRedis
beforeAll(async () => {
  if (isPossible) redis = await openTlsRedis(ACL)
})
afterAll(() => redis?.[Symbol.asyncDispose]())

describe.skipIf(!isPossible)('Redis over TLS', () => {
  const status = (url: string, env = {}) => runCli('status --json', { REDIS_URL: url, ...env })

  test('is reached with an authority of one’s own in NODE_EXTRA_CA_CERTS', async () => {
    const { code, stdout } = await status(redis.url('cli'), { NODE_EXTRA_CA_CERTS: redis.caPath })
    expect({ code, queue: JSON.parse(stdout).queue }).toMatchObject({ code: 0, queue: { waiting: 0 } })
  })

  test.each([
    ['nobody whom Node trusts has signed its certificate', () => status(redis.url('cli')), /certificate/],
    [
      'somebody else than the trusted authority has',
      () => status(redis.url('cli'), { NODE_EXTRA_CA_CERTS: redis.strangerPath }),
      /certificate/,
    ],
    [
      'its certificate names another host',
      () => status(redis.url('cli', '127.0.0.1'), { NODE_EXTRA_CA_CERTS: redis.caPath }),
      /does not match certificate/,
    ],
    ['it is spoken to in clear text', () => status(redis.url('cli').replace('rediss:', 'redis:')), /cannot be used/],
  ])('is not used when %s, and the operator is told why', async (_name, ask, why) => {
    const { code, stdout, stderr } = await ask()
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(why) })
    expect(stderr).not.toContain(new URL(redis.url('cli')).password)
  })

  test('is not trusted by ingest under another name: it answers 503, and its log says why', async () => {
    await using ingest = new Program('ingest', {
      env: {
        ...{ INGEST_PORT: '0', METRICS_PORT: '0', CLERK_WEBHOOK_SIGNING_SECRET: SECRET },
        ...{ REDIS_URL: redis.url('ingest', '127.0.0.1'), NODE_EXTRA_CA_CERTS: redis.caPath },
      },
    })
    const { port } = await ingest.says('ingest.listening')
    const target = { url: `http://127.0.0.1:${port}`, secret: SECRET }
    expect(await post(target, { eventId: 'msg_a', body: '{"type":"user.created"}' })).toMatchObject({ status: 503 })
    expect(JSON.stringify(await ingest.says('redis.lost'))).toMatch(/certificate/)
  })
})

describe.skipIf(!isPossible)('a documented user of Redis', () => {
  async function refusal(user: User, ...words: [string, ...string[]]): Promise<string> {
    const tls = { ca: readFileSync(redis.caPath) }
    const client = new Redis(redis.url(user), { tls })
    try {
      return await client.call(...words).then(String, (error: Error) => error.message)
    } finally {
      client.disconnect()
    }
  }

  test.each(USERS)('%s is let in, and sees the queue’s keys alone', async (user) => {
    expect(await refusal(user, 'HGET', '{clerk-0}:clerk-events:msg_a', 'data')).toBe('null')
    expect(await refusal(user, 'HGET', 'sessions', 'data')).toMatch(/^NOPERM/)
    expect(await refusal(user, 'EVAL', 'return redis.call("HGET", "sessions", "data")', '0')).toMatch(
      /NOPERM|can't access/i,
    )
  })

  test.each(USERS)('%s can do nothing to the server', async (user) => {
    const forbidden: [string, ...string[]][] = [
      ['CONFIG', 'GET', 'requirepass'],
      ['CONFIG', 'SET', 'dir', '/tmp'],
      ['ACL', 'LIST'],
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['MONITOR'],
      ['SHUTDOWN', 'NOSAVE'],
      ['REPLICAOF', '127.0.0.1', '1'],
      ['DEBUG', 'SLEEP', '0'],
      ['PUBLISH', 'all', 'x'],
    ]
    for (const words of forbidden) expect(await refusal(user, ...words)).toMatch(/^(NOPERM|ERR DEBUG)/)
  })

  test('must be named: nobody gets in without', async () => {
    const { stderr } = await runCli('status', {
      REDIS_URL: redis.url('cli').replace('cli:', ':'),
      NODE_EXTRA_CA_CERTS: redis.caPath,
    })
    expect(stderr).toMatch(/WRONGPASS|NOAUTH/)
  })
})

/** BullMQ's scripts that a process may run, on paths too that no test gets to. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  worker: [
    ...['moveToActive-11', 'moveToFinished-14', 'moveToDelayed-11', 'moveJobFromActiveToWait-9', 'retryJob-11'],
    ...['moveStalledJobsToWait-9', 'extendLock-2', 'extendLocks-1', 'saveStacktrace-1'],
  ],
  console: ['getJobs-1', 'getCounts-1', 'getRanges-1', 'getStateV2-8'],
}

test.each(Object.entries(SCRIPTS))('%s may do all that the scripts of BullMQ do which it runs', (user, scripts) => {
  const line = ACL.split('\n').find((each) => each.startsWith(`user ${user} `)) ?? ''
  const allowed = new Set([...line.matchAll(/\+(\S+)/g)].map(([, name]) => name))
  const called = scripts.flatMap((script) => {
    const path = `../../../node_modules/bullmq/dist/esm/scripts/${script}.js`
    const text = readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')
    return [...text.matchAll(/(?:rcall|redis\.p?call)\(\s*["'](\w+)/g)].map(([, name = '']) => name.toLowerCase())
  })
  expect(called.length).toBeGreaterThan(0)
  expect(called.filter((name) => !allowed.has(name))).toEqual([])
})
