import { describe, expect, test } from 'vitest'
import { SAME_SIGNAL_MS, SHUTDOWN_DEADLINE_MS } from '../../packages/runtime/src/limits.js'
import { bytesOf, signedRequest } from '../edge/request.js'
import { type EdgeSite, openEdgeSite } from '../edge/site.js'
import { KeptConnection } from '../support/http/keep-alive-connection.js'
import { type App, health, Program } from '../support/processes/processes.js'
import { until } from '../support/until.js'

/** Longer than any test: the test itself ends it, by a second signal. */
const LONG_DELAY = { SHUTDOWN_DELAY_S: '600' }
const BODY = '{"type":"user.created","data":{"id":"user_1"}}'
const CLOSING = { connection: 'close' }

const eventOf = (site: EdgeSite, id: string) => signedRequest({ secret: site.secret, id, body: BODY })

/** Tells it to stop, and that it should not wait for balancers any more. */
async function stopWaiting(program: Program, signalledAtMs: number) {
  await until(() => performance.now() - signalledAtMs > 2 * SAME_SIGNAL_MS)
  program.signal('SIGTERM')
}

async function tellToStop(program: Program): Promise<number> {
  const signalledAtMs = performance.now()
  program.signal('SIGTERM')
  await program.says('process.stopping')
  return signalledAtMs
}

describe('an ingest that is told to stop', () => {
  test('is not ready first, serves on, ends each connection with an answer, resets none and exits 0', async () => {
    await using site = await openEdgeSite(LONG_DELAY)
    const open = () => KeptConnection.open(site.port)
    const [probe, busy, idle] = [await open(), await open(), await open()]
    for (const kept of [probe, busy, idle]) expect((await kept.get('/readyz')).status).toBe(200)
    const signalledAtMs = await tellToStop(site.ingest)

    const notReady = {
      status: 503,
      headers: CLOSING,
      body: JSON.stringify({
        status: 'not ready',
        checks: { process: { ok: false, cause: 'the process is stopping' } },
      }),
    }
    const [late, later] = [await open(), await open()]
    expect(await probe.get('/readyz')).toMatchObject(notReady)
    expect(await late.get('/readyz')).toMatchObject(notReady)
    expect(await (await fetch(`${site.metricsUrl}/readyz`)).json()).toEqual(JSON.parse(notReady.body))
    busy.send(bytesOf(eventOf(site, 'msg_kept')))
    expect(await busy.answer()).toMatchObject({ status: 202, headers: CLOSING })
    later.send(bytesOf(eventOf(site, 'msg_later')))
    expect(await later.answer()).toMatchObject({ status: 202, headers: CLOSING })
    expect((await (await open()).get('/livez')).status).toBe(200)
    await until(() => [probe, busy, late, later].every(({ isClosed }) => isClosed))
    expect(idle.isClosed).toBe(false)

    await stopWaiting(site.ingest, signalledAtMs)
    expect(await site.ingest.exited).toEqual({ code: 0, signal: null })
    await until(() => idle.isClosed)
    expect([probe, busy, idle, late, later].map(({ error }) => error)).toEqual(Array(5).fill(undefined))
    expect((await site.eventIds()).toSorted()).toEqual(['msg_kept', 'msg_later'])
  })

  test('answers what was on its way, on a connection that is kept, and exits with that answer', async () => {
    await using site = await openEdgeSite()
    const event = eventOf(site, 'msg_slow')
    const bytes = bytesOf(event)
    const [begun, idle, silent] = [
      await KeptConnection.open(site.port),
      await KeptConnection.open(site.port),
      await KeptConnection.open(site.port),
    ]
    await begun.get('/livez')
    await idle.get('/livez')
    begun.send(bytes.subarray(0, -5))
    await until(async () => (await site.metric('clerk_mirror_ingest_body_bytes')) > 0)
    await tellToStop(site.ingest)
    await until(() => idle.isClosed && silent.isClosed)
    expect(site.ingest.isRunning).toBe(true)
    begun.send(bytes.subarray(-5))
    expect(await begun.answer()).toMatchObject({ status: 202, headers: CLOSING })
    const answeredAtMs = performance.now()
    expect(await site.ingest.exited).toEqual({ code: 0, signal: null })
    // Far below the deadline, at which it would have exited with 1; on a quiet machine it takes milliseconds.
    expect(performance.now() - answeredAtMs).toBeLessThan(SHUTDOWN_DEADLINE_MS / 2)
    expect(site.ingest.logged('process.stop_deadline')).toEqual([])
    expect([begun, idle, silent].map(({ error }) => error)).toEqual([undefined, undefined, undefined])
  })

  test('by Ctrl-C waits for no balancer', async () => {
    await using site = await openEdgeSite(LONG_DELAY)
    site.ingest.signal('SIGINT')
    expect(await site.ingest.exited).toEqual({ code: 0, signal: null })
  })
})

const NOWHERE = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'mysql://app:secret@127.0.0.1:1/mirror' }
const PORTS = { PROFILES_PORT: '0', CONSOLE_PORT: '0', METRICS_PORT: '0' }
const TOKEN = { CONSOLE_TOKEN: 'ada:operator:kUcBV8DtLw2uFz9nQ3eXr7mJ5sYpA1hG' }

test.each<[App, string]>([
  ['profiles', 'profiles.listening'],
  ['console', 'console.listening'],
])('%s that is told to stop is not ready first, serves on, and exits 0', async (app, listening) => {
  await using program = new Program(app, { env: { ...NOWHERE, ...PORTS, ...TOKEN, ...LONG_DELAY } })
  const port = Number((await program.says(listening))['port'])
  await program.says('process.started')
  const [kept, idle] = [await KeptConnection.open(port), await KeptConnection.open(port)]
  for (const each of [kept, idle]) expect((await each.get('/livez')).headers).not.toMatchObject(CLOSING)
  const signalledAtMs = await tellToStop(program)
  expect(await kept.get('/readyz')).toMatchObject({
    ...{ status: 503, headers: CLOSING, body: expect.stringContaining('the process is stopping') },
  })
  expect(await (await KeptConnection.open(port)).get('/livez')).toMatchObject({ status: 200, headers: CLOSING })
  for (const { port: probed } of program.logged('health.listening')) {
    const answer = await health(`http://127.0.0.1:${probed}`, '/readyz')
    expect(answer).toMatchObject({ status: 503, body: { checks: { process: { ok: false } } } })
  }
  await stopWaiting(program, signalledAtMs)
  expect(await program.exited).toEqual({ code: 0, signal: null })
  await until(() => idle.isClosed)
  expect([kept.error, idle.error]).toEqual([undefined, undefined])
})
