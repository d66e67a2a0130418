import { expect, test } from 'vitest'
import { pour, signUps } from '../support/http/deliveries.js'
import { isReady } from '../support/processes/processes.js'
import { canOpenHouse, openHouse } from '../support/processes/stack.js'
import { starve } from '../support/processes/starve.js'
import { until } from '../support/until.js'

const EVENTS = 256
const APPLIED_WITHIN_MS = 600_000
const IN_HOUSE = { skip: !(await canOpenHouse('own redis')), timeout: APPLIED_WITHIN_MS + 300_000 }

test(
  'two workers that get next to no processor apply everything, do little of it twice, and condemn nothing',
  IN_HOUSE,
  async () => {
    await using house = await openHouse('own redis')
    const ingest = await house.ingest()
    const workers = [await house.worker(), await house.worker()]
    await until(async () => (await Promise.all(workers.map(isReady))).every(Boolean))
    const events = signUps(11, EVENTS)
    {
      await using _starved = starve(workers)
      await pour(ingest, events).done
      await until(async () => (await house.tables.ledgerRows()) === EVENTS, APPLIED_WITHIN_MS)
    }
    await house.settled(events.map(({ eventId }) => eventId))
    expect(await house.differences(events)).toEqual([])
    expect(await house.counts()).toEqual({ wait: 0, active: 0, delayed: 0, failed: 0 })
    const lines = (event: string) => workers.flatMap((worker) => worker.logged(event))
    expect(lines('event.dead_lettered')).toEqual([])
    const decided = lines('event.decided')
    expect(decided.filter(({ outcome }) => outcome === 'applied')).toHaveLength(EVENTS)
    expect(decided.length, 'work done twice, for a lease was lost').toBeLessThan(1.5 * EVENTS)
    expect(await house.query('SELECT DISTINCT attempts FROM webhook_events')).toEqual([{ attempts: 1 }])
    expect(workers.every(({ isRunning }) => isRunning)).toBe(true)
  },
)
