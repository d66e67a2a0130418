import { history } from '@clerk-mirror/devstack'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { pour, refused, signUps, taken } from '../support/http/deliveries.js'
import { isReady, runCli } from '../support/processes/processes.js'
import { type House, openHouse } from '../support/processes/stack.js'
import { openRedisCluster, type RedisCluster } from '../support/queue/redis-cluster.js'
import { until } from '../support/until.js'

/*
 * All processes on three masters with a replica each. Partition 0 and the register lie on the first, 1 and 2 on the
 * second, 3 on the third.
 */
/** Many processes start one after the other, and the machine may have others to run. */
const PATIENTLY = { timeout: 600_000 }
const FOUR = { QUEUE_PARTITIONS: '4' }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

let cluster: RedisCluster
let house: House
beforeAll(async () => {
  cluster = await openRedisCluster()
  house = await openHouse('own redis', cluster.url)
})
afterEach(() => cluster.mend())
afterAll(async () => {
  await house?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

const json = async (words: string) => {
  const { code, stdout } = await runCli(`${words} --json`, house.env)
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

test('operators see and work on all partitions, by command and by page', PATIENTLY, async () => {
  await using ingest = await house.ingest(FOUR)
  await using worker = await house.worker()
  const token = 'operator-token-of-the-tests-of-the-console'
  await using console = await house.console({ CONSOLE_TOKEN: `ada:operator:${token}` })
  await until(async () => (await isReady(ingest)) && (await isReady(worker)) && (await isReady(console)))
  await house.query("ALTER TABLE users ADD CONSTRAINT refused CHECK (username = '')")
  const people = signUps(42, 12)
  await pour(ingest, people).done
  await until(async () => (await house.counts()).failed === 12)
  await house.query('ALTER TABLE users DROP CONSTRAINT refused')

  const { partitions, doors } = await json('partitions list')
  expect(partitions.map(({ prefix }: { prefix: string }) => prefix)).toEqual(
    [0, 1, 2, 3].map((index) => `{clerk-${index}}`),
  )
  expect(partitions.reduce((sum: number, { events }: { events: number }) => sum + events, 0)).toBe(12)
  expect(doors).toMatchObject([{ partitions: 4 }])
  expect(await json('status')).toMatchObject({ queue: { dead: 12 }, workers: [{ breaker: 'closed' }] })
  const times = (await json('dead-letters list')).map(({ failedAt }: { failedAt: string }) => failedAt)
  expect(times).toHaveLength(12)
  expect(times).toEqual(times.toSorted())
  const headers = { authorization: `Bearer ${token}` }
  const page = await fetch(`${console.url}/api/dead-letters?limit=5`, { headers })
  expect(await page.json()).toMatchObject({ items: Array.from({ length: 5 }, () => expect.anything()) })
  const body = new URLSearchParams({ token })
  const signedIn = await fetch(`${console.url}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
  const board = await fetch(`${console.url}/queue/api/queues`, { headers: { cookie } })
  const queues = [0, 1, 2, 3].map((index) => ({ name: `{clerk-${index}}:clerk-events` }))
  expect(await board.json()).toMatchObject({ queues })
  expect(await json('dead-letters replay --all')).toEqual({ matched: 12, replayed: 12, skipped: 0 })
  await house.settled(people.map(({ eventId }) => eventId))
})

test(
  'planned failovers under load lose nothing: what came before, meanwhile and afterwards is applied',
  PATIENTLY,
  async ({ annotate }) => {
    await using ingest = await house.ingest(FOUR)
    await using worker = await house.worker()
    await until(async () => (await isReady(ingest)) && (await isReady(worker)))
    const { deliveries } = history({ seed: 41, users: 150, shuffle: true, duplicates: 0.2, deletes: 0.1 })
    const traffic = pour(ingest, deliveries)
    for (const [index, key] of ['{clerk-0}', '{clerk-1}', '{clerk-3}'].entries()) {
      await until(() => taken(traffic.answers).length > 100 * (index + 1))
      await cluster.failover(key)
    }
    await traffic.done
    await annotate(`${refused(traffic.answers).length} of ${traffic.answers.length} refused`)
    await house.settled(taken(traffic.answers).map(({ eventId }) => eventId))
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.differences(deliveries)).toEqual([])
  },
)

test(
  'a master that is killed: its partitions are refused until a replica takes over, and nothing is lost',
  PATIENTLY,
  async ({ annotate }) => {
    await using ingest = await house.ingest({ ...FOUR, REDIS_WAIT_REPLICAS: '1' })
    await using worker = await house.worker()
    await until(async () => (await isReady(ingest)) && (await isReady(worker)))
    const people = signUps(43, 500)
    const traffic = pour(ingest, people)
    await until(() => taken(traffic.answers).length > 150)
    const [master, replica] = [await cluster.masterOf('{clerk-1}'), await cluster.replicaOf('{clerk-1}')]
    await master.server.kill()
    await until(() => refused(traffic.answers).length > 20)
    await until(async () => (await cluster.masterOf('{clerk-1}')) === replica)
    // It has no replica yet that could have an event as well.
    await cluster.mend()
    await traffic.done
    const answers = refused(traffic.answers)
    await annotate(
      `${answers.length} refused, the slowest after ${Math.max(...answers.map(({ tookMs }) => tookMs))} ms`,
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
    await house.settled(taken(traffic.answers).map(({ eventId }) => eventId))
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.differences(people)).toEqual([])
  },
)
