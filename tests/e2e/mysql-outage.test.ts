import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Pour, pour, refused, signUps } from '../support/http/deliveries.js'
import { health, isReady, runCli } from '../support/processes/processes.js'
import { mysqlCause, untilNotReady } from '../support/processes/readiness.js'
import {
  canOpenHouse,
  type House,
  type IngestProcess,
  openHouse,
  type WorkerProcess,
} from '../support/processes/stack.js'
import { until } from '../support/until.js'

/** From the database's return until all is applied: a probe comes at least every three seconds. */
const APPLIED_WITHIN_MS = 20 * 5000
/** Three leases and seven probes: an hour has only more of the same. */
const LONG_OUTAGE_MS = 20_000
const AND_LONGER = { timeout: LONG_OUTAGE_MS + 400_000 }
/** Longer than a healthy Redis is late, and shorter than a worker that is to stop waits for it. */
const LATE_MS = 5_000

const alive = { status: 200, body: { status: 'ok' } }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

const UNREACHABLE = 'cannot be reached'
const SILENT = 'does not answer'

const isPossible = await canOpenHouse('own redis and database')
let house: House
let ingest: IngestProcess
beforeAll(async () => {
  if (!isPossible) return
  house = await openHouse('own redis and database')
  ingest = await house.ingest()
})
afterEach(() => house?.mend())
afterAll(() => house?.[Symbol.asyncDispose]())

/** Traffic that goes on through the beginning of an outage: some is applied by then, some in hand, more comes after. */
async function pourThrough(seed: number, beginOutage: () => unknown) {
  const events = signUps(seed, 600)
  const appliedBefore = await house.tables.ledgerRows()
  const before = pour(ingest, events.slice(0, 300))
  await until(async () => (await house.tables.ledgerRows()) > appliedBefore)
  await beginOutage()
  const after = pour(ingest, events.slice(300))
  return { events, traffic: [before, after] }
}

/** Ingest knows nothing of the database. On a busy machine Redis may be late, and the sender comes again. */
async function expectAllTaken(traffic: readonly Pour[]) {
  await Promise.all(traffic.map(({ done }) => done))
  const answers = traffic.flatMap((each) => each.answers)
  const refusal = expect.objectContaining({ code: 'redis_unavailable' })
  for (const { body } of refused(answers)) expect(body).toEqual({ error: refusal })
  await until(() => isReady(ingest))
}

async function expectBreakerOpen(worker: WorkerProcess, cause: string) {
  expect(await worker.says('breaker.opened')).toMatchObject({ level: 'error' })
  await untilNotReady(worker, mysqlCause(cause))
  expect(await health(worker.url, '/livez')).toEqual(alive)
}

async function expectAllApplied(events: ReturnType<typeof signUps>) {
  const ids = events.map(({ eventId }) => eventId)
  await house.settled(ids, APPLIED_WITHIN_MS)
  expect(await house.counts()).toEqual(nothingLeft)
  expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
  expect(await house.differences(events)).toEqual([])
}

describe.skipIf(!isPossible)('the database', () => {
  test('may come after the worker, which waits for it', async () => {
    await house.database.stop()
    await using worker = await house.worker()
    const events = signUps(1, 100)
    await expectAllTaken([pour(ingest, events)])
    await expectBreakerOpen(worker, UNREACHABLE)
    await house.database.start()
    await expectAllApplied(events)
    await until(() => isReady(worker))
  })

  test.each([
    { how: 'stopped', seed: 2, begin: 'stop', end: 'start', cause: UNREACHABLE },
    { how: 'killed', seed: 3, begin: 'kill', end: 'start', cause: UNREACHABLE },
    { how: 'frozen', seed: 4, begin: 'pause', end: 'resume', cause: SILENT },
  ] as const)('may be $how under load: events are taken, wait, and are applied', async (outage) => {
    await using worker = await house.worker()
    const { events, traffic } = await pourThrough(outage.seed, () => house.database[outage.begin]())
    await expectAllTaken(traffic)
    await expectBreakerOpen(worker, outage.cause)
    expect(await house.counts()).toMatchObject({ delayed: 0, failed: 0 })
    await house.database[outage.end]()
    await expectAllApplied(events)
    expect([...worker.logged('event.retrying'), ...worker.logged('event.dead_lettered')]).toEqual([])
    await until(() => isReady(worker))
  })
})

describe.skipIf(!isPossible)('the application', () => {
  const FOREIGN_KEY = 'FOREIGN KEY (user_id) REFERENCES users (id)'
  test.each([
    {
      what: 'may add a column without a default',
      seed: 8,
      drift: ['ALTER TABLE users ADD plan VARCHAR(20) NOT NULL'],
      mend: ["ALTER TABLE users ALTER COLUMN plan SET DEFAULT ''"],
      cause: 'give it a default',
    },
    {
      what: 'may drop a column',
      seed: 9,
      drift: ['ALTER TABLE users RENAME COLUMN first_name TO given_name'],
      mend: ['ALTER TABLE users RENAME COLUMN given_name TO first_name'],
      cause: 'npm run db:migrate',
    },
  ])('$what under load: events wait for it, and none has paid a try', async ({ seed, drift, mend, cause }) => {
    await using worker = await house.worker()
    await until(() => isReady(worker))
    const { events, traffic } = await pourThrough(seed, async () => {
      for (const sql of drift) await house.query(sql)
    })
    await expectAllTaken(traffic)
    await expectBreakerOpen(worker, cause)
    expect(await house.counts()).toMatchObject({ delayed: 0, failed: 0 })
    for (const sql of mend) await house.query(sql)
    await expectAllApplied(events)
    expect([...worker.logged('event.retrying'), ...worker.logged('event.dead_lettered')]).toEqual([])
  })

  test('may add constraints, which a ready worker names', async () => {
    await house.query('CREATE UNIQUE INDEX one_tagline ON users (tagline)')
    await house.query(`CREATE TABLE orders (user_id BIGINT NOT NULL, CONSTRAINT order_of ${FOREIGN_KEY})`)
    await using worker = await house.worker()
    await until(() => isReady(worker))
    const { body } = await health(worker.url, '/readyz')
    const note = expect.stringMatching(/unique index one_tagline on users \(tagline\).*foreign key order_of of orders/)
    expect(body).toMatchObject({ status: 'ready', checks: { mysql: { ok: true, note } } })
    const migrations = await runCli('migrate status --json', { DATABASE_URL: house.env.DATABASE_URL })
    expect(JSON.parse(migrations.stdout)).toMatchObject({
      pending: [],
      foreign: [{ name: 'one_tagline' }, { name: 'order_of' }],
    })
    await house.query('DROP TABLE orders')
    await house.query('DROP INDEX one_tagline ON users')
  })
})

/** A worker's metrics, by name. */
async function metricsOf({ url }: WorkerProcess): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return new Map(
    [...text.matchAll(/^(clerk_mirror_\w+)\{app="worker"\} (\S+)$/gm)].map(([, name = '', n]) => [name, Number(n)]),
  )
}

describe.skipIf(!isPossible)('a long outage of the database', () => {
  test('leaves every event the tries that it had, and with the worker that has it', AND_LONGER, async () => {
    await using one = await house.worker()
    await using other = await house.worker()
    await until(async () => (await isReady(one)) && (await isReady(other)))
    const { events, traffic } = await pourThrough(7, () => house.database.kill())
    await expectAllTaken(traffic)
    await until(async () => (await house.counts()).active > 0)
    const jobs = () => Promise.all(events.map(({ eventId }) => house.job(eventId)))
    const sumHeld = async () => {
      const holding = await Promise.all([one, other].map(metricsOf))
      return holding.reduce((sum, metrics) => sum + (metrics.get('clerk_mirror_held_events') ?? 0), 0)
    }
    // A worker releases the fetched events that it had not begun when its breaker opened.
    await until(async () => (await sumHeld()) === (await house.counts()).active)
    const held = await house.counts()
    const before = await jobs()
    await new Promise((resolve) => setTimeout(resolve, LONG_OUTAGE_MS))
    expect(await house.counts()).toEqual(held)
    expect(await jobs()).toEqual(before)
    expect(before.filter(({ atm, stc, struckBy }) => atm ?? stc ?? struckBy)).toEqual([])
    for (const worker of [one, other]) {
      await expectBreakerOpen(worker, UNREACHABLE)
      expect((await metricsOf(worker)).get('clerk_mirror_breaker_open')).toBe(1)
    }
    expect(await sumHeld()).toBe(held.active)
    await house.database.start()
    await expectAllApplied(events)
    expect([one, other].flatMap((worker) => worker.logged('event.retrying'))).toEqual([])
  })
})

describe.skipIf(!isPossible)('a worker that is told to stop', () => {
  // It exits with 1 when its deadline for a shutdown passes.
  const cleanly = { code: 0 }

  test('while the database is away gives back what it holds', async () => {
    await using worker = await house.worker()
    const { events, traffic } = await pourThrough(5, () => house.database.kill())
    await expectAllTaken(traffic)
    await expectBreakerOpen(worker, UNREACHABLE)
    const { active, wait } = await house.counts()
    expect(active).toBeGreaterThan(0)
    expect(await worker.stop()).toMatchObject(cleanly)
    expect(await house.counts()).toEqual({ ...nothingLeft, wait: wait + active })
    // None of them is a suspect to the next worker: they were held, and not worked on.
    const jobs = await Promise.all(events.map(({ eventId }) => house.job(eventId)))
    expect(jobs.filter(({ ats = '0', struckBy }) => Number(ats) > 0 || struckBy !== undefined)).toEqual([])
    await house.database.start()
    await using _next = await house.worker()
    await expectAllApplied(events)
  })

  test('is not ready from that moment on, while it still works on what it holds', async () => {
    await using worker = await house.worker()
    await until(() => isReady(worker))
    // Under load, so that the worker has events in flight when the database freezes.
    const { events, traffic } = await pourThrough(11, () => house.database.pause())
    await expectAllTaken(traffic)
    await until(async () => (await house.counts()).active > 0)
    worker.signal('SIGTERM')
    await worker.says('process.stopping')
    expect(await health(worker.url, '/readyz')).toEqual({
      status: 503,
      body: { status: 'not ready', checks: { process: { ok: false, cause: 'the process is stopping' } } },
    })
    expect(await health(worker.url, '/livez')).toEqual(alive)
    house.database.resume()
    expect(await worker.exited).toEqual({ code: 0, signal: null })
    await using _next = await house.worker()
    await expectAllApplied(events)
  })

  test('just when the database freezes gives back what it cannot finish', async () => {
    await using worker = await house.worker()
    const { events, traffic } = await pourThrough(6, () => house.database.pause())
    expect(await worker.stop()).toMatchObject(cleanly)
    await expectAllTaken(traffic)
    expect(await house.counts()).toMatchObject({ active: 0, delayed: 0, failed: 0 })
    house.database.resume()
    await using _next = await house.worker()
    await expectAllApplied(events)
  })

  test('while the database is frozen and Redis is late gives back what it holds', async () => {
    await using worker = await house.worker()
    const { events, traffic } = await pourThrough(10, () => house.database.pause())
    await until(async () => (await house.counts()).active > 0)
    house.redis.pause()
    const stopped = worker.stop()
    await worker.says('process.stopping')
    await new Promise((resolve) => setTimeout(resolve, LATE_MS))
    house.redis.resume()
    expect(await stopped).toMatchObject(cleanly)
    await Promise.all(traffic.map(({ done }) => done))
    expect(await house.counts()).toMatchObject({ active: 0, delayed: 0, failed: 0 })
    house.database.resume()
    await using _next = await house.worker()
    await expectAllApplied(events)
  })
})
