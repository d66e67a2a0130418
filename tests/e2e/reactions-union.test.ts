import type { Delivery } from '@clerk-mirror/devstack'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pour, signUps } from '../support/http/deliveries.js'
import { runCli } from '../support/processes/processes.js'
import {
  canOpenHouse,
  type House,
  type IngestProcess,
  openHouse,
  type WorkerProcess,
} from '../support/processes/stack.js'
import { until } from '../support/until.js'

/** Several workers start one after the other, on a machine that may have others to run. */
const PATIENTLY = { timeout: 600_000, skip: !(await canOpenHouse('own redis')) }
const WITH_REACTIONS = { REACTIONS: 'log-new-users' }

let house: House
let ingest: IngestProcess
beforeEach(async () => {
  if (PATIENTLY.skip) return
  house = await openHouse('own redis')
  ingest = await house.ingest()
})
afterEach(() => house?.[Symbol.asyncDispose]())

/** Users that the sample reaction of these workers received. */
const toldOf = (...workers: WorkerProcess[]) =>
  new Set(workers.flatMap((worker) => worker.logged('reaction.new_user').map(({ userId }) => String(userId))))

const usersOf = (deliveries: readonly Delivery[]) =>
  new Set(deliveries.map(({ body }) => String((JSON.parse(body) as { data: { id: string } }).data.id)))

async function signedUp(seed: number, people: number): Promise<Set<string>> {
  const deliveries = signUps(seed, people)
  await pour(ingest, deliveries).done
  await house.settled(deliveries.map(({ eventId }) => eventId))
  return usersOf(deliveries)
}

const decided = (worker: WorkerProcess) => worker.logged('event.decided').length

test('one worker with a reaction and one without: everybody who signs up is told of', PATIENTLY, async () => {
  const without = await house.worker()
  const having = await house.worker(WITH_REACTIONS)
  await having.says('reaction.promised')
  const users = await signedUp(81, 400)
  await until(() => toldOf(having).size >= users.size)
  expect(toldOf(having)).toEqual(users)
  // Both had their part in it: else the one without would prove nothing.
  expect([decided(without) > 0, decided(having) > 0]).toEqual([true, true])
  await house.reacted()
})

test('a rolling deploy that adds a reaction misses nothing from the moment that it promises', PATIENTLY, async () => {
  const old = [await house.worker(), await house.worker()]
  const [before, after] = [signUps(82, 300), signUps(83, 300)]
  const traffic = pour(ingest, before, 4)
  const young = await house.worker(WITH_REACTIONS)
  await young.says('reaction.promised')
  const promised = pour(ingest, after, 4)
  await Promise.all([traffic.done, promised.done])
  await old[0]?.stop()
  const second = await house.worker(WITH_REACTIONS)
  await house.settled([...before, ...after].map(({ eventId }) => eventId))
  await house.reacted()
  const told = toldOf(young, second)
  expect([...usersOf(after)].filter((user) => !told.has(user))).toEqual([])
  expect(old.some((worker) => decided(worker) > 0)).toBe(true)
})

test('what a reaction misses while no worker runs it waits, and a frozen worker is waited for', PATIENTLY, async () => {
  const without = await house.worker()
  const having = await house.worker(WITH_REACTIONS)
  await having.says('reaction.promised')
  await having.stop()
  const users = await signedUp(84, 50)
  without.signal('SIGSTOP')
  const again = await house.worker(WITH_REACTIONS)
  await again.says('reaction.registered')
  await until(() => toldOf(again).size >= users.size)
  expect(toldOf(again)).toEqual(users)
  without.signal('SIGCONT')
  await again.says('reaction.promised')
})

test('a reaction is taken off the register by a command, when no worker has it any more', PATIENTLY, async () => {
  const without = await house.worker()
  const having = await house.worker(WITH_REACTIONS)
  await having.says('reaction.promised')
  const remove = () => runCli('reactions remove log-new-users --json', house.env)
  expect(await remove()).toMatchObject({ code: 1, stderr: expect.stringContaining('[reaction_alive]') })
  await having.stop()
  const waiting = await signedUp(85, 10)
  expect(JSON.parse((await remove()).stdout)).toEqual({ kind: 'removed' })
  await signedUp(86, 10)
  const [listed] = JSON.parse((await runCli('reactions list --json', house.env)).stdout)
  expect(listed).toMatchObject({ reaction: 'log-new-users', workers: 0, isRegistered: false, outbox: waiting.size })
  expect(decided(without)).toBeGreaterThan(0)
  const [row] = await house.query<{ action: string; subject_id: string }>(
    "SELECT action, subject_id FROM operator_actions WHERE counts <> '' ORDER BY id DESC LIMIT 1",
  )
  expect(row).toMatchObject({ action: 'unregister', subject_id: 'log-new-users' })
  const forgotten = JSON.parse((await runCli('reactions forget log-new-users --yes --json', house.env)).stdout)
  expect(forgotten).toMatchObject({ done: true, outbox: waiting.size })
})
