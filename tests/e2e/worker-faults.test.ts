import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Delivery } from '@clerk-mirror/devstack'
import { expect, test } from 'vitest'
import { StuckWorkerWatchdog } from '../../packages/queue/src/consume/stuck-watchdog.js'
import { STUCK_CHECK_MS, STUCK_CHECKS } from '../../packages/queue/src/limits.js'
import { pour, signUps } from '../support/http/deliveries.js'
import { openFaultProxy } from '../support/http/fault-proxy.js'
import { health, isReady, queueErrors } from '../support/processes/processes.js'
import { mysqlCause, untilNotReady } from '../support/processes/readiness.js'
import { canOpenHouse, type House, openHouse } from '../support/processes/stack.js'
import { envelope, openTestQueue, type TestQueue } from '../support/queue/queue.js'
import { until } from '../support/until.js'

const STUCK_WITHIN_MS = 10 * 30_000
/**
 * Six deaths, each followed by the end of a lease and, for an event with an earlier crash, by the wait for the others.
 */
const JUDGED_WITHIN_MS = 10 * 6 * 20_000
// They mostly wait, and so they wait beside each other.
const ALONGSIDE = { concurrent: true, timeout: JUDGED_WITHIN_MS + 300_000 }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

const LOGIN_REFUSED = mysqlCause('refuses the user or the password')

const idsOf = (events: readonly Delivery[]) => events.map(({ eventId }) => eventId)

const PRELOAD = fileURLToPath(new URL('../support/processes/crash-on-marked-events.mjs', import.meta.url))

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

/** An account of the house's database for one worker, which can be shut out while it is at work. */
async function openAccount(house: House): Promise<AsyncDisposable & { url: string; lock: () => Promise<void> }> {
  const url = new URL(house.env.DATABASE_URL)
  const database = url.pathname.slice(1)
  url.username = database.slice(-12)
  url.password = 'first'
  const account = `'${url.username}'@'%'`
  await house.query(`CREATE USER ${account} IDENTIFIED BY '${url.password}'`)
  await house.query(`GRANT ALL ON \`${database}\`.* TO ${account}`)
  return {
    url: url.href,
    async lock() {
      await house.query(`ALTER USER ${account} IDENTIFIED BY 'second'`)
      const sessions = 'SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?'
      for (const { ID } of await house.query<{ ID: bigint }>(sessions, [url.username])) {
        await house.query(`KILL ${ID}`).catch(() => {}) // it has gone by itself
      }
    },
    [Symbol.asyncDispose]: async () => void (await house.query(`DROP USER ${account}`)),
  }
}

const IN_HOUSE = { ...ALONGSIDE, skip: !(await canOpenHouse('own redis')) }

test('a worker whose connection to Redis dies without a word works on', IN_HOUSE, async () => {
  await using house = await openHouse('own redis')
  await using proxy = await openFaultProxy(house.env.REDIS_URL)
  const ingest = await house.ingest()
  const worker = await house.worker({ REDIS_URL: proxy.url })
  await until(() => isReady(worker))
  await until(() => proxy.hasSeen('bzpopmin'))
  // The connection that waits for events, and each one in its place, is half-open; the other one works.
  proxy.silence('bzpopmin')
  const events = signUps(1, 3)
  await pour(ingest, events).done
  await house.settled(idsOf(events), STUCK_WITHIN_MS)
  expect(worker.isRunning).toBe(true)
  // Each attempt to reconnect fails alike, and the log says it once.
  const made = proxy.connections()
  await until(() => proxy.connections() >= made + 8)
  const errors = queueErrors(worker).map(({ err }) => (err as Error).message)
  expect(errors).not.toEqual([])
  expect(errors).toEqual([...new Set(errors)])
})

test(
  'a worker whose account lacks a right in Redis says so and backs off, is not called stuck, and works when it has the right',
  IN_HOUSE,
  async () => {
    await using house = await openHouse('own redis')
    const url = new URL(house.env.REDIS_URL)
    url.username = 'worker'
    url.password = 'made-up'
    const account = (...rules: string[]) => house.client.call('ACL', 'SETUSER', url.username, ...rules)
    // By the script that takes an event, which is the hottest of all.
    await account('on', `>${url.password}`, '~*', '&*', '+@all', '-rpoplpush')
    const ingest = await house.ingest()
    const events = signUps(4, 3)
    await pour(ingest, events).done
    const worker = await house.worker({ REDIS_URL: url.href })
    const cause = expect.stringContaining('lacks a right in Redis')
    // On a busy machine MySQL may be late to answer first.
    await until(async () => (await health(worker.url, '/readyz')).body.checks?.['redis']?.ok === false)
    expect(await health(worker.url, '/readyz')).toMatchObject({ body: { checks: { redis: { ok: false, cause } } } })
    await pause(STUCK_CHECK_MS * (STUCK_CHECKS + 2))
    expect(worker.isRunning).toBe(true)
    const [told, ...more] = queueErrors(worker)
    expect(told).toMatchObject({ err: { message: expect.stringMatching(/can't run|ACL failure/) } })
    expect(more.length).toBeLessThan(3) // one for each script that it refuses
    await account('+rpoplpush')
    await house.settled(idsOf(events))
    await until(() => isReady(worker))
  },
)

type Story = {
  name: string
  prepare: (queue: TestQueue) => Promise<unknown>
  hasCapacity?: boolean
  inBetween?: InBetween
}
type InBetween = (queue: TestQueue) => Promise<unknown>

const accept = ({ producer }: TestQueue, ids: readonly string[]) =>
  Promise.all(ids.map((id) => producer.enqueue(envelope(id))))
const stories: Story[] = [
  { name: 'nothing waits', prepare: async () => {} },
  { name: 'the worker has no capacity', prepare: (queue) => accept(queue, ['msg_1']), hasCapacity: false },
  {
    name: 'the queue is paused',
    prepare: async (queue) => {
      await accept(queue, ['msg_1'])
      await queue.redis.hset(queue.partition.key('meta'), 'paused', '1')
    },
  },
  {
    name: 'the queue runs as many events as it may',
    prepare: async (queue) => {
      await accept(queue, ['msg_1'])
      await queue.redis.hset(queue.partition.key('meta'), 'concurrency', '1')
      await queue.redis.lpush(queue.partition.key('active'), 'msg_0')
    },
  },
  {
    name: 'the queue may run only so many events in an hour',
    prepare: async (queue) => {
      await accept(queue, ['msg_1'])
      await queue.redis.hset(queue.partition.key('meta'), 'max', '1', 'duration', '3600000')
    },
  },
  {
    name: 'others work off a backlog',
    prepare: (queue) => accept(queue, ['msg_1', 'msg_2', 'msg_3']),
    inBetween: ({ redis, partition: { key } }) => redis.rpoplpush(key('wait'), key('wait')),
  },
]

function watch({ redis, partition }: TestQueue, hasCapacity: boolean): Disposable & { told: string[] } {
  const told: string[] = []
  const onStuck = ({ code }: { code: string }) => void told.push(code)
  const options = { client: redis, partitions: [partition], hasCapacity: () => hasCapacity, onStuck }
  const watchdog = new StuckWorkerWatchdog(options)
  return { told, [Symbol.dispose]: () => watchdog[Symbol.dispose]() }
}

/** Whether the watchdog would call this worker stuck; a control queue, on which it is, tells how long to wait. */
async function isCalledStuck({ prepare, hasCapacity = true, inBetween }: Story): Promise<boolean> {
  await using queue = await openTestQueue()
  await using control = await openTestQueue()
  await prepare(queue)
  await accept(control, ['msg_1'])
  using watching = watch(queue, hasCapacity)
  using alarmed = watch(control, true)
  await until(async () => {
    await inBetween?.(queue)
    return alarmed.told.length > 0
  }, STUCK_WITHIN_MS)
  // By then this one has looked as often, and once more.
  await pause(2 * STUCK_CHECK_MS)
  return watching.told.length > 0
}

test('a worker is not called stuck when an event waits for a good reason', ALONGSIDE, async () => {
  const judged = await Promise.all(stories.map(async (story) => ({ [story.name]: await isCalledStuck(story) })))
  expect(judged).toEqual(stories.map(({ name }) => ({ [name]: false })))
})

test(
  'a worker that dies of one event, again and again, costs none of the others more than two of its deaths',
  IN_HOUSE,
  async ({ annotate }) => {
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
  },
)

test('a worker that may not log in takes nothing from those that may', IN_HOUSE, async () => {
  await using house = await openHouse('own redis')
  const url = new URL(house.env.DATABASE_URL)
  url.password = 'rotated-away'
  const stranger = await house.worker({ DATABASE_URL: url.href })
  await untilNotReady(stranger, LOGIN_REFUSED)
  const ingest = await house.ingest()
  await house.worker()
  const events = signUps(3, 300)
  await pour(ingest, events).done
  await house.settled(idsOf(events))
  expect(await house.counts()).toEqual(nothingLeft)
  await untilNotReady(stranger, LOGIN_REFUSED)
  expect(stranger.logged('event.decided')).toEqual([])
})

test(
  'a worker whose account is locked at work holds what it has, the others go on, and it gives back when it is stopped',
  IN_HOUSE,
  async () => {
    await using house = await openHouse('own redis')
    await using account = await openAccount(house)
    const ingest = await house.ingest()
    const locked = await house.worker({ DATABASE_URL: account.url })
    await until(() => isReady(locked))
    await account.lock()
    const events = signUps(4, 300)
    await pour(ingest, events).done
    // Its connections break first, and then it is told why.
    await locked.says('breaker.opened')
    await untilNotReady(locked, LOGIN_REFUSED)
    await house.worker()
    await until(async () => {
      const { wait, active } = await house.counts()
      return wait === 0 && active > 0 && (await house.tables.ledgerRows()) + active === events.length
    })
    expect(await locked.stop()).toMatchObject({ code: 0 })
    await house.settled(idsOf(events))
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
  },
)

test(
  'the events of a killed worker, run again and again in an outage that the canary does not see, are blamed for nothing',
  IN_HOUSE,
  async () => {
    await using house = await openHouse('own redis')
    const ingest = await house.ingest()
    const full = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'"
    await house.query(
      `CREATE TRIGGER full BEFORE INSERT ON webhook_events FOR EACH ROW IF NEW.event_id LIKE 'msg%' THEN ${full}; END IF`,
    )
    const events = signUps(5, 2)
    await pour(ingest, events).done
    const first = await house.worker()
    await first.says('breaker.opened')
    await until(async () => (await house.counts()).active === events.length)
    first.signal('SIGKILL')
    await first.exited
    const second = await house.worker()
    // Each turn runs one of the two suspects: five that count would be enough.
    const isJudged = () => second.logged('event.dead_lettered').length > 0
    await until(() => second.logged('breaker.half_open').length >= 14 || isJudged(), JUDGED_WITHIN_MS)
    expect(second.logged('event.dead_lettered')).toEqual([])
    const turns = second.logged('breaker.opened')
    expect(turns[0]).toMatchObject({ code: 'mysql_1021' })
    const jobs = await Promise.all(events.map(({ eventId }) => house.job(eventId)))
    expect(jobs.filter(({ atm }) => atm !== undefined)).toEqual([])
    await house.query('DROP TRIGGER full')
    await house.settled(idsOf(events), JUDGED_WITHIN_MS)
    expect(await house.counts()).toEqual(nothingLeft)
    expect(second.logged('event.dead_lettered')).toEqual([])
    expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
  },
)
