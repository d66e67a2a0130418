import { fileURLToPath } from 'node:url'
import type { Delivery } from '@clerk-mirror/devstack'
import { describe, test } from 'vitest'
import { pour, signUps } from '../support/deliveries.js'
import { openFaultProxy } from '../support/fault-proxy.js'
import { canOpenHouse, type House, openHouse } from '../support/house.js'
import { health, isReady } from '../support/processes.js'
import { until } from '../support/until.js'

const WEDGED_WITHIN_MS = 4 * 30_000
/** Six deaths, each followed by the end of a lease and, for who was struck before, by the wait for the others. */
const JUDGED_WITHIN_MS = 4 * 6 * 20_000
// They mostly wait, and so they wait beside each other.
const TOGETHER = { concurrent: true, timeout: JUDGED_WITHIN_MS + 60_000 }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

const idsOf = (events: readonly Delivery[]) => events.map(({ eventId }) => eventId)

const PRELOAD = fileURLToPath(new URL('../support/dies-of-marked-events.mjs', import.meta.url))

function marked({ body, ...delivery }: Delivery): Delivery {
  const event = JSON.parse(body)
  return { ...delivery, body: JSON.stringify({ ...event, data: { ...event.data, username: 'ends_its_worker' } }) }
}

/** Starts a worker again and again, as its supervisor would, and notes when each of them died. */
function supervise(house: House, env: Record<string, string>): AsyncDisposable & { deathsMs: number[] } {
  const deathsMs: number[] = []
  const stop = new AbortController()
  const stopped = new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  const run = async () => {
    while (!stop.signal.aborted) {
      await using worker = await house.worker(env)
      await Promise.race([worker.exited, stopped])
      if (!worker.isRunning) deathsMs.push(Date.now())
    }
  }
  const running = run()
  running.catch(() => {}) // until it is awaited
  return {
    deathsMs,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

describe.skipIf(!(await canOpenHouse('own redis')))('a worker', TOGETHER, () => {
  test('whose connection died without a word ends itself, and the next one does its work', async ({
    expect,
    annotate,
  }) => {
    await using house = await openHouse('own redis')
    await using proxy = await openFaultProxy(house.env.REDIS_URL)
    const ingest = await house.ingest()
    const worker = await house.worker({ REDIS_URL: proxy.url })
    await until(() => isReady(worker))
    await until(() => proxy.hasSeen('bzpopmin'))
    proxy.silence('bzpopmin')
    const sinceMs = performance.now()
    const events = signUps(1, 3)
    await pour(ingest, events).done
    // All that it asks over its other connection is answered: nobody but itself can tell.
    expect(await health(worker.url, '/readyz')).toMatchObject({ status: 200 })
    await until(() => !worker.isRunning, WEDGED_WITHIN_MS)
    await annotate(`ended after ${Math.round((performance.now() - sinceMs) / 100) / 10} s`)
    expect((await worker.exited).code).toBe(1)
    expect(worker.lines.filter(({ level }) => level === 'error')).toEqual([
      expect.objectContaining({ event: 'process.failed', code: 'worker_wedged' }),
    ])
    await house.worker()
    await house.settled(idsOf(events))
  })

  test('that dies of one event, again and again, costs none of the others more than two of its deaths', async ({
    expect,
    annotate,
  }) => {
    await using house = await openHouse('own redis')
    const ingest = await house.ingest()
    const events = signUps(2, 301).map((event, index) => (index === 20 ? marked(event) : event))
    const [killer] = events.splice(20, 1)
    if (!killer) throw new Error('nobody was marked')
    await pour(ingest, [...events.slice(0, 20), killer, ...events.slice(20)], 1).done
    await using lives = supervise(house, { NODE_OPTIONS: `--import=${PRELOAD}` })
    await until(() => house.isDead(killer.eventId), JUDGED_WITHIN_MS)
    await annotate(`a dead letter after ${lives.deathsMs.length} deaths`)
    expect((await house.job(killer.eventId))['failedReason']).toMatch(/^killer\/worker_killed/)

    await house.settled(idsOf(events))
    expect(await house.counts()).toEqual({ ...nothingLeft, failed: 1 })
    expect(await house.differences(events)).toEqual([])
    type Row = { attempts: number; appliedMs: string }
    const rows = await house.query<Row>(
      'SELECT attempts, UNIX_TIMESTAMP(applied_at) * 1000 AS appliedMs FROM webhook_events',
    )
    const deathsBefore = rows.map(({ appliedMs }) => lives.deathsMs.filter((ms) => ms < Number(appliedMs)).length)
    expect(Math.max(...deathsBefore)).toBeLessThanOrEqual(2)
    expect(new Set(rows.map(({ attempts }) => attempts))).toEqual(new Set([1]))
  })

  test('that may not log in takes nothing from those that may', async ({ expect }) => {
    await using house = await openHouse('own redis')
    const url = new URL(house.env.DATABASE_URL)
    url.password = 'rotated-away'
    const stranger = await house.worker({ DATABASE_URL: url.href })
    expect(await stranger.says('breaker.opened')).toMatchObject({ code: 'database_login_refused' })
    const ingest = await house.ingest()
    await house.worker()
    const events = signUps(3, 300)
    await pour(ingest, events).done
    await house.settled(idsOf(events))
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await health(stranger.url, '/readyz')).toMatchObject({
      status: 503,
      body: { checks: { mysql: { ok: false } } },
    })
    expect(stranger.logged('event.decided')).toEqual([])
  })

  test('whose account is locked at work holds what it has, the others go on, and it gives back when it is stopped', async ({
    expect,
  }) => {
    await using house = await openHouse('own redis')
    const url = new URL(house.env.DATABASE_URL)
    const account = `'${url.pathname.slice(-12)}'@'%'`
    await house.query(`CREATE USER ${account} IDENTIFIED BY 'first'`)
    await house.query(`GRANT ALL ON \`${url.pathname.slice(1)}\`.* TO ${account}`)
    url.username = url.pathname.slice(-12)
    url.password = 'first'
    const ingest = await house.ingest()
    const locked = await house.worker({ DATABASE_URL: url.href })
    await until(() => isReady(locked))
    await house.query(`ALTER USER ${account} IDENTIFIED BY 'second'`)
    await house.query(`KILL USER ${account}`)
    const events = signUps(4, 300)
    await pour(ingest, events).done
    expect(await locked.says('breaker.opened')).toMatchObject({ code: 'database_login_refused' })
    await house.worker()
    const { active } = await (async () => {
      await until(async () => (await house.counts()).wait === 0)
      return await house.counts()
    })()
    await until(async () => (await house.tables.ledgerRows()) === events.length - (await house.counts()).active)
    expect(active).toBeGreaterThan(0)
    await locked.stop()
    await house.settled(idsOf(events))
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
    await house.query(`DROP USER ${account}`)
  })
})
