import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, post, pour, refused, signUps, taken } from '../support/http/deliveries.js'
import { health, isReady, queueErrors } from '../support/processes/processes.js'
import { untilNotReady } from '../support/processes/readiness.js'
import { canOpenHouse, type House, type IngestProcess, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

/** The promise is 500 ms, on a machine that has nothing else to do. */
const REFUSED_WITHIN_MS = 20 * 500
/** From the moment when Redis answers again; the longest pause between two attempts to reach it is a second. */
const BACK_WITHIN_MS = 20 * 2000
/** Some megabytes are written and worked off. */
const WITH_TIME = { timeout: 600_000 }
/** A worker's claim on an event ends after so long without renewal. */
const LEASE_MS = 6000

const alive = { status: 200, body: { status: 'ok' } }
const notReady = { status: 503, body: { status: 'not ready', checks: { redis: { ok: false } } } }
const sayingWhy = { body: { checks: { redis: { cause: 'Redis does not answer, or takes no writes' } } } }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

type Events = ReturnType<typeof signUps>

async function oneAfterTheOther(ingest: IngestProcess, events: Events): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const event of events) answers.push(await post(ingest, event))
  return answers
}

const allAtOnce = (ingest: IngestProcess, events: Events) => Promise.all(events.map((event) => post(ingest, event)))

/** Each one a 503 that says when to come again, and in time. Returns the slowest, for the record. */
function expectRefusals(answers: readonly Answer[], code = 'redis_unavailable'): string {
  const refusal = { status: 503, retryAfter: '5', body: { error: { code, message: expect.any(String) } } }
  expect(answers).not.toEqual([])
  expect(answers).toEqual(answers.map(() => expect.objectContaining(refusal)))
  const slowestMs = Math.max(...answers.map(({ tookMs }) => tookMs))
  expect(slowestMs).toBeLessThan(REFUSED_WITHIN_MS)
  return `${answers.length} refusals, the slowest after ${Math.round(slowestMs)} ms`
}

const isPossible = await canOpenHouse('own redis')
let house: House
beforeAll(async () => {
  if (isPossible) house = await openHouse('own redis')
})
afterEach(() => house?.mend())
afterAll(() => house?.[Symbol.asyncDispose]())

const expectAllApplied = async (answers: readonly Answer[]) => {
  await house.settled(taken(answers).map(({ eventId }) => eventId))
  expect(await house.counts()).toEqual(nothingLeft)
  expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
}

async function memory(): Promise<{ used: number; share: number }> {
  const info = await house.client.info('memory')
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return { used: bytes('used_memory'), share: bytes('used_memory') / bytes('maxmemory') }
}

/** The same events, each so many bytes larger. */
const withFiller = (events: Events, bytes: number): Events =>
  events.map(({ body, ...delivery }) => {
    const event = JSON.parse(body)
    return { ...delivery, body: JSON.stringify({ ...event, data: { ...event.data, filler: 'x'.repeat(bytes) } }) }
  })

async function withSetting(name: string, { value, safe }: { value: string; safe: string }): Promise<AsyncDisposable> {
  await house.client.config('SET', name, value)
  return { [Symbol.asyncDispose]: async () => void (await house.client.config('SET', name, safe)) }
}

describe.skipIf(!isPossible)('Redis', () => {
  test('may come after ingest and worker: until then every event is refused, the first one too', async ({
    annotate,
  }) => {
    await house.redis.stop()
    await using ingest = await house.ingest()
    await using worker = await house.worker()
    const events = signUps(1, 40)
    const refusals = await oneAfterTheOther(ingest, events.slice(0, 10))
    refusals.push(...(await allAtOnce(ingest, events)))
    await annotate(expectRefusals(refusals))
    await untilNotReady(ingest, sayingWhy)
    await untilNotReady(worker, notReady)
    expect([await health(ingest.url, '/livez'), await health(worker.url, '/livez')]).toEqual([alive, alive])

    await house.redis.start()
    await until(() => isReady(ingest), BACK_WITHIN_MS)
    const traffic = pour(ingest, events)
    await traffic.done
    await expectAllApplied(traffic.answers)
    await until(() => isReady(worker))
  })

  test('may freeze for longer than a lease, with events in hand: what was taken is applied once', async ({
    annotate,
  }) => {
    await using ingest = await house.ingest()
    await using worker = await house.worker()
    await until(() => isReady(ingest))
    const traffic = pour(ingest, signUps(2, 600))
    await until(() => taken(traffic.answers).length > 200)
    house.redis.pause()
    const frozenAtMs = performance.now()
    await untilNotReady(ingest, notReady)
    await untilNotReady(worker, notReady)
    expect(await health(ingest.url, '/livez')).toEqual(alive)
    await until(() => performance.now() - frozenAtMs > LEASE_MS)
    house.redis.resume()
    await until(() => isReady(ingest), BACK_WITHIN_MS)
    await traffic.done
    await annotate(expectRefusals(refused(traffic.answers)))
    await expectAllApplied(traffic.answers)
    expect(worker.logged('redis.lost')).toEqual([])
  })

  test('may be killed in the middle of everything: nothing that was taken is lost', async ({ annotate }) => {
    await using ingest = await house.ingest()
    await using worker = await house.worker()
    await until(() => isReady(ingest))
    const traffic = pour(ingest, signUps(3, 600))
    await until(() => taken(traffic.answers).length > 200)
    await house.redis.kill()
    await until(() => refused(traffic.answers).length > 100)
    await untilNotReady(ingest, notReady)
    await untilNotReady(worker, notReady)
    await house.redis.start()
    await until(() => isReady(ingest), BACK_WITHIN_MS)
    await traffic.done
    await annotate(expectRefusals(refused(traffic.answers)))
    await expectAllApplied(traffic.answers)
  })
})

describe.skipIf(!isPossible)('a Redis', () => {
  test('that is full takes no events: they are refused, and those that wait are applied once it has room', async ({
    annotate,
  }) => {
    await using ingest = await house.ingest()
    await until(() => isReady(ingest))
    const events = signUps(4, 50)
    const before = pour(ingest, events.slice(0, 20))
    await before.done
    await house.client.config('SET', 'maxmemory', '100kb')
    const refusals = await oneAfterTheOther(ingest, events.slice(20))
    await annotate(expectRefusals(refusals, 'redis_full'))
    await untilNotReady(ingest, sayingWhy)
    await using worker = await house.worker()
    // It can mark neither the queue as its own nor itself as there, and takes nothing before it has.
    const { code } = await worker.says('breaker.opened')
    expect(code).toMatch(/^(installation|register)_unread$/)

    await house.client.config('SET', 'maxmemory', '2gb')
    await until(() => isReady(ingest), BACK_WITHIN_MS)
    const after = pour(ingest, events.slice(20))
    await after.done
    await expectAllApplied([...before.answers, ...after.answers])
  })

  test('whose policy evicts is not trusted with events, unless that is accepted', async () => {
    await using _policy = await withSetting('maxmemory-policy', { value: 'allkeys-lru', safe: 'noeviction' })
    await using ingest = await house.ingest()
    await ingest.says('redis.unsafe')
    const cause = expect.stringContaining('REDIS_ALLOW_EVICTION')
    await untilNotReady(ingest, { body: { checks: { redis: { cause } } } })
    await using accepting = await house.ingest({ REDIS_ALLOW_EVICTION: 'true' })
    expect(await accepting.says('redis.unsafe')).toMatchObject({ level: 'warn', msg: expect.stringContaining('evict') })
    await until(() => isReady(accepting))
  })

  test.each([
    { name: 'appendonly', value: 'no', safe: 'yes', words: 'appendonly no' },
    { name: 'appendfsync', value: 'everysec', safe: 'always', words: 'weaker than always' },
    { name: 'maxmemory', value: '0', safe: '2gb', words: 'no maxmemory' },
  ])('with $name $value may lose events, and ingest says so when it starts', async ({ name, words, ...setting }) => {
    await using _weaker = await withSetting(name, setting)
    await using ingest = await house.ingest()
    expect(await ingest.says('redis.unsafe')).toMatchObject({ level: 'warn', msg: expect.stringContaining(words) })
    await until(() => isReady(ingest))
  })

  test('with safe settings is nothing to warn of', async () => {
    await using ingest = await house.ingest()
    await until(() => isReady(ingest))
    await ingest.stop()
    expect(ingest.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  })

  test.each(['pause', 'kill'] as const)('that is gone (%s) does not keep a worker from stopping', async (fault) => {
    await using worker = await house.worker()
    await until(async () => (await health(worker.url, '/readyz')).status === 200)
    await house.redis[fault]()
    // It waits for Redis within its deadline, at which it would exit with 1.
    expect(await worker.stop()).toMatchObject({ code: 0 })
  })
})

describe.skipIf(!isPossible)('a Redis', () => {
  test(
    'that fills up makes ingest refuse events in time for workers to empty it, and ingest accepts again by itself',
    WITH_TIME,
    async ({ annotate }) => {
      await using ingest = await house.ingest()
      await until(() => isReady(ingest))
      // Something else that lies there, so that some hundred events make the difference.
      await house.client.setrange('ballast', 79 * 1024 * 1024, 'x')
      const { used } = await memory()
      await using _room = await withSetting('maxmemory', { value: String(Math.round(used / 0.72)), safe: '2gb' })
      const events = withFiller(signUps(5, 400), 32_768)
      const answers: Answer[] = []
      const isShut = ({ body }: Answer) => JSON.stringify(body).includes('redis_full')
      for (const event of events) {
        const answer = await post(ingest, event)
        answers.push(answer)
        if (isShut(answer)) break
        await setTimeout(20) // ingest looks at the memory once a second, and takes all of them in less
      }
      const { share: shut } = await memory()
      expect(answers.filter(isShut)).toHaveLength(1)
      await using worker = await house.worker()
      await house.settled(
        taken(answers).map(({ eventId }) => eventId),
        60_000,
      )
      const { share: open } = await memory()
      await annotate(
        `${taken(answers).length} events taken; of memory used: ${shut.toFixed(3)}, then ${open.toFixed(3)}`,
      )
      expect(shut).toBeGreaterThan(0.75)
      expect(shut).toBeLessThan(1)
      expect(open).toBeLessThan(0.75)
      expect(queueErrors(worker)).toEqual([])
      const rest = pour(ingest, events.slice(answers.length - 1, answers.length + 20))
      await rest.done
      await expectAllApplied([...answers, ...rest.answers])
      await house.client.del('ballast')
    },
  )
})
