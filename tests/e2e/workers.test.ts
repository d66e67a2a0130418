import { type Delivery, history, send } from '@clerk-mirror/devstack'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { IngestTarget } from '../support/http/deliveries.js'
import { canOpenHouse, type House, openHouse, type WorkerProcess } from '../support/processes/stack.js'
import { until } from '../support/until.js'

/** A killed worker's events are with another after 15 s; each of them runs alone then. */
const TAKEN_OVER_WITHIN_MS = 10 * 15_000
const AND_LONGER = { timeout: 4 * TAKEN_OVER_WITHIN_MS }
const nothingLeft = { wait: 0, active: 0, delayed: 0, failed: 0 }

/** Over 2,000 events of some 560 people, in any order, a third of them twice. */
const trafficOf = (seed: number) => history({ seed, users: 560, deletes: 0.1, duplicates: 0.3, shuffle: true })

const idsOf = (deliveries: readonly Delivery[]) => new Set(deliveries.map(({ eventId }) => eventId))

async function sendAll({ url, secret }: IngestTarget, deliveries: readonly Delivery[]): Promise<void> {
  const { signal } = new AbortController()
  const options = { url: `${url}/webhooks/clerk`, signingSecret: secret, concurrency: 32, signal }
  const { accepted } = await send(deliveries, { ...options, onDelivered: () => {} })
  expect(accepted).toBe(deliveries.length)
}

const hasBegun = (worker: WorkerProcess) => worker.logged('event.decided').length > 0

describe.skipIf(!(await canOpenHouse('own redis')))('three workers on one queue', AND_LONGER, () => {
  let house: House
  beforeEach(async () => {
    house = await openHouse('own redis')
  })
  afterEach(() => house[Symbol.asyncDispose]())

  /** They begin at the same moment: else the first could be done before the last has started. */
  async function threeWorkers(): Promise<WorkerProcess[]> {
    house.redis.pause()
    const workers = await Promise.all([house.worker(), house.worker(), house.worker()])
    house.redis.resume()
    return workers
  }

  async function expectEverythingRight(deliveries: readonly Delivery[]) {
    const ids = idsOf(deliveries)
    await house.settled(ids, TAKEN_OVER_WITHIN_MS)
    expect(await house.counts()).toEqual(nothingLeft)
    expect(await house.differences(deliveries)).toEqual([])
    expect(await house.tables.ledgerRows()).toBe(ids.size)
  }

  test('apply every event once, also when one of them is killed with its hands full', async () => {
    const { deliveries, events } = trafficOf(11)
    expect(events).toBeGreaterThan(2000)
    const ingest = await house.ingest()
    const half = Math.ceil(deliveries.length / 2)
    // A backlog first: a worker killed beside one has events in flight.
    await sendAll(ingest, deliveries.slice(0, half))
    const [victim] = await threeWorkers()
    const rest = sendAll(ingest, deliveries.slice(half))
    await until(() => victim !== undefined && hasBegun(victim))
    victim?.signal('SIGKILL')
    expect(await victim?.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await rest
    await expectEverythingRight(deliveries)
  })

  test('stop when they are told to, under load, and leave nothing half done', async () => {
    const { deliveries } = trafficOf(12)
    const ingest = await house.ingest()
    await sendAll(ingest, deliveries)
    const workers = await threeWorkers()
    await until(() => workers.some(hasBegun))
    const exits = await Promise.all(workers.map((worker) => worker.stop()))
    expect(exits).toEqual(exits.map(() => expect.objectContaining({ code: 0 })))
    const ids = idsOf(deliveries)
    const left = await house.counts()
    expect(left).toEqual({ ...nothingLeft, wait: expect.any(Number) })
    expect(left.wait).toBeGreaterThan(0)
    expect((await house.tables.ledgerRows()) + left.wait).toBe(ids.size)
    await house.worker()
    await expectEverythingRight(deliveries)
    expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
  })

  test('get every event from an ingest that is replaced under load', async () => {
    const { deliveries } = trafficOf(13)
    const old = await house.ingest()
    await threeWorkers()
    const sent = sendAll(old, deliveries)
    await until(async () => (await house.tables.ledgerRows()) > 200)
    const exit = await old.stop()
    expect(exit).toMatchObject({ code: 0 })
    await house.ingest({ INGEST_PORT: new URL(old.url).port })
    await sent
    await expectEverythingRight(deliveries)
  })
})
