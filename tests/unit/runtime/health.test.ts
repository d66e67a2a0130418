import { createServer } from 'node:http'
import {
  type Check,
  openLog,
  openMetrics,
  PortInUse,
  type Readiness,
  readinessOf,
  readyz,
  serveHealth,
} from '@clerk-mirror/runtime'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { exchange } from '../../edge/wire.js'
import { PATIENCE_MS } from '../../support/until.js'

const ok: Check = { ok: true }
const ready: Readiness = async () => ({ redis: ok })
const hangs = () => new Promise<never>(() => {})
const never = new AbortController().signal
const quiet = openLog({ app: 'test', level: 'silent' })

async function served({ readiness = ready, metrics = openMetrics('test'), stopping = never } = {}) {
  const server = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    settingName: 'WORKER_PORT',
    readiness,
    metrics,
    log: quiet,
    stopping,
  })
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  return { port: server.port, get, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe('the health port', () => {
  test('says that the process lives, whatever it needs', async () => {
    await using health = await served({ readiness: async () => ({ redis: { ok: false } }) })
    expect(await health.get('/livez')).toMatchObject({ status: 200, body: '{"status":"ok"}' })
  })

  test('says what the process needs and has', async () => {
    await using health = await served()
    const { status, body } = await health.get('/readyz?verbose')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({ status: 'ready', checks: { redis: { ok: true } } })
  })

  test('is not ready when one thing is missing, and names it', async () => {
    const checks = { redis: ok, mysql: { ok: false, cause: 'read_only' } }
    await using health = await served({ readiness: async () => checks })
    const { status, body } = await health.get('/readyz')
    expect(status).toBe(503)
    expect(JSON.parse(body)).toEqual({ status: 'not ready', checks })
  })

  test('names the check that hangs within two seconds, and goes on serving', async () => {
    await using health = await served({ readiness: readinessOf({ redis: hangs, mysql: async () => ok }, never) })
    const startedMs = performance.now()
    const { status, body } = await health.get('/readyz')
    expect(performance.now() - startedMs).toBeLessThan(10 * 2_000)
    expect(status).toBe(503)
    expect(JSON.parse(body).checks).toEqual({ redis: { ok: false, cause: 'no answer in time' }, mysql: ok })
    expect((await health.get('/livez')).status).toBe(200)
  })

  test('serves the metrics in the format that Prometheus reads', async () => {
    await using health = await served()
    const { status, headers, body } = await health.get('/metrics')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toContain('version=0.0.4')
    expect(body).toContain('process_cpu_seconds_total')
  })

  test('answers 500 when the metrics cannot be read, and lives on', async () => {
    const metrics = { ...openMetrics('test'), text: () => Promise.reject(new Error('no')) }
    await using health = await served({ metrics })
    expect(await health.get('/metrics')).toMatchObject({ status: 500, body: expect.stringContaining('"internal"') })
    expect((await health.get('/livez')).status).toBe(200)
  })

  test('refuses other paths and methods with a code', async () => {
    await using health = await served()
    const elsewhere = await health.get('/')
    expect(elsewhere.status).toBe(404)
    expect(JSON.parse(elsewhere.body)).toEqual({ error: { code: 'not_found', message: expect.any(String) } })
    const posted = await health.get('/livez', 'POST')
    expect(posted.status).toBe(405)
    expect(posted.headers.get('allow')).toBe('GET, HEAD')
    expect(JSON.parse(posted.body)).toEqual({ error: { code: 'method_not_allowed', message: expect.any(String) } })
    expect(await health.get('/livez', 'HEAD')).toMatchObject({ status: 200, body: '' })
  })
})

describe('the health port', () => {
  test('is not ready from the moment that the process is told to stop, and ends each connection with its answer', async () => {
    const stop = new AbortController()
    await using health = await served({
      readiness: readinessOf({ redis: async () => ok }, stop.signal),
      stopping: stop.signal,
    })
    const before = await health.get('/readyz')
    expect([before.status, before.headers.get('connection')]).toEqual([200, 'keep-alive'])
    stop.abort()
    for (const [path, status] of [
      ['/readyz', 503],
      ['/livez', 200],
      ['/metrics', 200],
    ] as const) {
      const after = await health.get(path)
      expect([after.status, after.headers.get('connection')]).toEqual([status, 'close'])
    }
    expect(JSON.parse((await health.get('/readyz')).body).checks).toMatchObject({ process: { ok: false } })
  })

  test('does not wait for the body of what it refuses', async () => {
    await using health = await served()
    for (const path of ['/livez', '/nope']) {
      const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n`
      const { answers } = await exchange(health.port, head)
      expect(answers).toMatchObject([{ status: path === '/nope' ? 404 : 405, headers: { connection: 'close' } }])
    }
  })

  test('that is taken is an error with the port and the setting that moves it', async () => {
    await using first = await served()
    const { port } = first
    const options = {
      host: '127.0.0.1',
      port,
      settingName: 'WORKER_PORT',
      readiness: ready,
      log: quiet,
      stopping: never,
    }
    const error: unknown = await serveHealth({ ...options, metrics: openMetrics('test') }).catch((caught) => caught)
    expect(error).toBeInstanceOf(PortInUse)
    expect(error).toMatchObject({ code: 'port_in_use', cause: { code: 'EADDRINUSE' } })
    expect(String(error)).toMatch(new RegExp(`port ${port} .* WORKER_PORT`))
  })

  test('is free again once it is released, also while a request hangs', async () => {
    const health = await served({ readiness: hangs })
    const cut = health.get('/readyz').catch(() => 'cut')
    await vi.waitFor(async () => expect((await health.get('/livez')).status).toBe(200), PATIENCE_MS)
    await health[Symbol.asyncDispose]()
    expect(await cut).toBe('cut')
    const next = createServer()
    await new Promise<void>((resolve, reject) => next.once('error', reject).listen(health.port, '127.0.0.1', resolve))
    next.close()
  })
})

describe('readiness', () => {
  afterEach(() => void vi.useRealTimers())

  test('that hangs as a whole is not ready after two seconds', async () => {
    vi.useFakeTimers()
    const answer = readyz(hangs)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await answer).toEqual({
      status: 503,
      body: { status: 'not ready', checks: { readiness: { ok: false, cause: 'no answer in time' } } },
    })
  })

  test.each<[string, () => Promise<Check>, string]>([
    [
      'rejects with a code',
      () => Promise.reject(Object.assign(new Error('ada@10.0.0.7'), { code: 'ECONNREFUSED' })),
      'ECONNREFUSED',
    ],
    ['rejects without a code', () => Promise.reject(new Error('ada@10.0.0.7')), 'the check failed'],
    [
      'throws before it begins',
      () => {
        throw new TypeError('ada@10.0.0.7')
      },
      'the check failed',
    ],
  ])('counts a check that %s as missing, and does not repeat its message', async (_, mysql, cause) => {
    const { status, body } = await readyz(readinessOf({ redis: async () => ok, mysql }, never))
    expect(status).toBe(503)
    expect(body.checks).toEqual({ redis: ok, mysql: { ok: false, cause } })
  })

  test('asks Redis once a second, however many probes come, and says then what has changed', async () => {
    vi.useFakeTimers()
    let asked = 0
    const redis = async () => {
      asked += 1
      return asked === 1 ? { ok: false, cause: 'loading' } : ok
    }
    const readiness = readinessOf({ redis }, never)
    const crowd = () => Promise.all(Array.from({ length: 50 }, () => readyz(readiness)))
    const statuses = async () => [...new Set((await crowd()).map(({ status }) => status))]
    expect(await statuses()).toEqual([503])
    await vi.advanceTimersByTimeAsync(999)
    expect(await statuses()).toEqual([503])
    expect(asked).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(await statuses()).toEqual([200])
    expect(asked).toBe(2)
  })

  test('is looked at for longer than its answer is kept, and all who came meanwhile have that one answer', async () => {
    vi.useFakeTimers()
    let asked = 0
    const redis = () => {
      asked += 1
      return hangs()
    }
    const readiness = readinessOf({ redis }, never)
    const answers = [readyz(readiness)]
    await vi.advanceTimersByTimeAsync(1_400)
    answers.push(readyz(readiness))
    await vi.advanceTimersByTimeAsync(100)
    answers.push(readyz(readiness))
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([503, 503, 503])
    expect(asked).toBe(1)
  })
})
