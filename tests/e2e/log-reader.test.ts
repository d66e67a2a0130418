import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { pour, signUps, taken } from '../support/http/deliveries.js'
import { health, isReady } from '../support/processes/processes.js'
import { canOpenHouse, type House, openHouse } from '../support/processes/stack.js'
import { until } from '../support/until.js'

const isPossible = await canOpenHouse('own redis')
let house: House
beforeAll(async () => {
  if (isPossible) house = await openHouse('own redis')
})
afterEach(() => house?.mend())
afterAll(() => house?.[Symbol.asyncDispose]())

/** Their lines are twice as long as the buffer of an unread pipe. */
const EVENTS = 2_000

describe.skipIf(!isPossible)('a reader of the log that stalls', () => {
  test('stops neither ingest nor worker: events are applied, and their lines come later', {
    timeout: 600_000,
  }, async () => {
    await using ingest = await house.ingest({ LOG_LEVEL: 'debug' })
    await using worker = await house.worker()
    await until(() => isReady(ingest))
    await until(() => isReady(worker))
    for (const program of [ingest, worker]) program.stallReader()
    const traffic = pour(ingest, signUps(1, EVENTS))
    await traffic.done
    const ids = taken(traffic.answers).map(({ eventId }) => eventId)
    expect(ids).toHaveLength(EVENTS)
    await house.settled(ids, 60_000)
    for (const { url } of [ingest, worker]) expect((await health(url, '/livez')).status).toBe(200)
    for (const program of [ingest, worker]) program.resumeReader()
    await until(() => worker.logged('event.decided').length === EVENTS)
    await until(() => ingest.logged('event.accepted').length === EVENTS)
    expect(worker.logged('log.dropped')).toEqual([])
    expect((await worker.stop()).code).toBe(0)
  })
})
