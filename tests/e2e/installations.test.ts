import { partition } from '@clerk-mirror/queue/enqueue'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { post, signUps } from '../support/http/deliveries.js'
import { isReady, runCli } from '../support/processes/processes.js'
import { mysqlCause, untilNotReady } from '../support/processes/readiness.js'
import { canOpenHouse, type House, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

const INSTALLATION_KEY = partition('{clerk-0}').key('clerk-mirror:installation')

const STAGING = { QUEUE_NAMESPACE: 'staging' }

const isPossible = await canOpenHouse('own redis')
const inHouses = test.skipIf(!isPossible)

let production: House
let staging: House
beforeEach(async () => {
  if (!isPossible) return
  production = await openHouse('own redis')
  staging = await openHouse('own redis', production.env.REDIS_URL)
})
afterEach(async () => {
  await staging?.[Symbol.asyncDispose]()
  await production?.[Symbol.asyncDispose]()
})

const isLedgered = async (house: House, ids: readonly string[]) =>
  (await house.tables.outcomesOf(ids)).size === ids.length

inHouses('with a namespace for each, apply their own events, and see nothing of each other', async () => {
  const ingests = [await production.ingest(), await staging.ingest({ ...STAGING, QUEUE_PARTITIONS: '2' })] as const
  await Promise.all([production.worker({ REACTIONS: '*' }), staging.worker({ ...STAGING, REACTIONS: '*' })])
  await until(async () => (await isReady(ingests[0])) && isReady(ingests[1]))
  const [ours, theirs] = [signUps(71, 20), signUps(72, 20)]
  for (const delivery of ours) expect((await post(ingests[0], delivery)).status).toBe(202)
  for (const delivery of theirs) expect((await post(ingests[1], delivery)).status).toBe(202)
  const [ourIds, theirIds] = [ours, theirs].map((all) => all.map(({ eventId }) => eventId)) as [string[], string[]]
  await until(async () => (await isLedgered(production, ourIds)) && isLedgered(staging, theirIds))
  expect((await production.tables.outcomesOf(theirIds)).size).toBe(0)
  expect((await staging.tables.outcomesOf(ourIds)).size).toBe(0)
  const keys = await production.client.keys('*')
  expect(keys.filter((key) => !/^\{(?:clerk|staging)-(?:\d+|partitions)\}/.test(key))).toEqual([])
  expect(keys.some((key) => key.startsWith('{staging-1}'))).toBe(true)

  const listed = await runCli('partitions list --json', { ...staging.env, ...STAGING })
  const prefixes = JSON.parse(listed.stdout).partitions.map(({ prefix }: { prefix: string }) => prefix)
  expect(prefixes).toEqual(['{staging-0}', '{staging-1}'])
  const { stdout } = await runCli('status --json', { ...staging.env, ...STAGING })
  expect(JSON.parse(stdout).workers).toHaveLength(1)
})

const idsOf = (deliveries: readonly { eventId: string }[]) => deliveries.map(({ eventId }) => eventId)

inHouses('with the same namespace, the second one works on nothing, and says why with both ids', async () => {
  const ingest = await production.ingest()
  const ours = await production.worker()
  await ours.says('installation.stamped')
  // Staging had a queue of its own, before it was configured with production's.
  await using before = await staging.worker(STAGING)
  await before.says('installation.stamped')
  await before.stop()
  const theirs = await staging.worker()
  await theirs.says('breaker.opened')
  const shown = async (house: House, env = {}) =>
    JSON.parse((await runCli('installation show --json', { ...house.env, ...env })).stdout)
  const { database: production_ } = await shown(production)
  const { database: staging_ } = await shown(staging, STAGING)
  expect(production_.id).not.toBe(staging_.id)
  await untilNotReady(theirs, mysqlCause(new RegExp(`${staging_.id}.*${production_.id}`)))

  const deliveries = signUps(73, 50)
  for (const delivery of deliveries) expect((await post(ingest, delivery)).status).toBe(202)
  await production.settled(idsOf(deliveries))
  expect((await staging.tables.outcomesOf(idsOf(deliveries))).size).toBe(0)
  expect(theirs.logged('event.decided')).toEqual([])

  for (const words of ['status', 'dead-letters list', 'erase --user user_1 --yes', 'reactions list']) {
    const { code, stderr } = await runCli(words, staging.env)
    expect({ words, code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(staging_.id) })
    expect(stderr).toContain(production_.id)
  }
  const mixed = await runCli('status', { ...production.env, DATABASE_URL: staging.env.DATABASE_URL })
  expect(mixed.stderr).toContain('[installation_mismatch]')
  const inWords = await runCli('installation show', staging.env)
  expect({ code: inWords.code, lines: inWords.stdout.split('\n').map((line) => line.split(' ', 1)[0]) }).toEqual({
    code: 1,
    lines: ['database', 'Redis', '', expect.any(String), ''],
  })
})

inHouses('a database that is new beside an old Redis is taken by a command, which is on record', async () => {
  const ours = await production.worker()
  await ours.says('installation.stamped')
  await ours.stop()
  const worker = await staging.worker()
  await untilNotReady(worker, mysqlCause('Redis belongs to installation .*, and the database to none yet'))
  const asking = await runCli('installation restamp', staging.env)
  expect(asking).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
  const restamped = await runCli('installation restamp --yes --json', staging.env)
  const { kind, from, to } = JSON.parse(restamped.stdout)
  expect({ kind, from }).toEqual({ kind: 'restamped', from: null })
  await worker.says('breaker.closed')
  await until(() => isReady(worker))
  const [row] = await staging.query<{ action: string; subject_id: string }>('SELECT * FROM operator_actions')
  expect(row).toMatchObject({ action: 'restamp', subject_id: to })
  expect((await runCli('installation restamp --new --yes', staging.env)).stderr).toContain('[workers_alive]')
  await worker.stop()
  expect(JSON.parse((await runCli('installation restamp --new --yes --json', staging.env)).stdout).from).toBe(to)
  // The database that this Redis was taken from is told apart from now on.
  await untilNotReady(await production.worker(), mysqlCause('the database belongs to installation .*, and Redis to'))
})

inHouses('a Redis that loses its data while everything runs is told of, and work goes on', async () => {
  const [ingest, worker] = [await production.ingest(), await production.worker()]
  await worker.says('installation.stamped')
  await production.client.flushall()
  expect(await worker.says('installation.redis_lost')).toMatchObject({ level: 'warn', epoch: 2 })
  const deliveries = signUps(74, 5)
  for (const delivery of deliveries) expect((await post(ingest, delivery)).status).toBe(202)
  await production.settled(idsOf(deliveries))
  const metrics = await (await fetch(`${worker.url}/metrics`)).text()
  expect(metrics).toContain('clerk_mirror_installation_epoch{app="worker"} 2')
})

inHouses('a worker whose Redis becomes that of another installation ends, and applies nothing of it', async () => {
  const [ingest, worker] = [await production.ingest(), await production.worker()]
  await worker.says('installation.stamped')
  await production.client.hset(INSTALLATION_KEY, 'id', 'theirs')
  expect(await worker.says('process.failed')).toMatchObject({ code: 'installation_mismatch' })
  expect((await worker.exited).code).toBe(1)
  const [delivery] = signUps(75, 1)
  if (delivery) expect((await post(ingest, delivery)).status).toBe(202)
  const again = await production.worker()
  await untilNotReady(again, mysqlCause('the database belongs to installation .*, and Redis to'))
  expect(await production.counts()).toMatchObject({ wait: 1, active: 0 })
})
