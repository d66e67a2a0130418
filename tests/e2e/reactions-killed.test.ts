import { randomBytes } from 'node:crypto'
import { history } from '@clerk-mirror/devstack'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pour } from '../support/http/deliveries.js'
import { openReceiver, type Receiver } from '../support/http/receiver.js'
import { canOpenHouse, type House, openHouse } from '../support/processes/stack.js'
import { reckonReactions } from '../support/reactions.js'
import { until } from '../support/until.js'

/** A killed worker's events and runs are with another after 15 s. */
const TAKEN_OVER_WITHIN_MS = 10 * 15_000

describe.skipIf(!(await canOpenHouse('own redis')))('reactions of workers that are killed', () => {
  let house: House
  let receiver: Receiver
  beforeEach(async () => {
    house = await openHouse('own redis')
    receiver = await openReceiver()
  })
  afterEach(async () => {
    await house[Symbol.asyncDispose]()
    await receiver[Symbol.asyncDispose]()
  })

  test('every committed change is told at least once, and none that was not committed, also with kill -9 all the while', {
    timeout: 3 * TAKEN_OVER_WITHIN_MS,
  }, async () => {
    const { deliveries } = history({ seed: 8, users: 220, deletes: 0.2, duplicates: 0.2, shuffle: true })
    const reacting = {
      CHANGE_WEBHOOK_URLS: receiver.url,
      CHANGE_WEBHOOK_SECRETS: `whsec_${randomBytes(24).toString('base64')}`,
      CHANGE_WEBHOOK_ALLOW_PRIVATE: 'true',
      REACTIONS: '*',
    }
    const ingest = await house.ingest()
    let victim = await house.worker(reacting)
    const others = [await house.worker(reacting)]
    const poured = pour(ingest, deliveries)
    for (const told of [40, 200, 360]) {
      await until(() => receiver.received.length >= told, TAKEN_OVER_WITHIN_MS)
      victim.signal('SIGKILL')
      await victim.exited
      victim = await house.worker(reacting)
    }
    await poured.done
    await house.settled(new Set(deliveries.map(({ eventId }) => eventId)), TAKEN_OVER_WITHIN_MS)
    await house.reacted(2 * TAKEN_OVER_WITHIN_MS)
    const { changes, ...reckoned } = await reckonReactions((sql) => house.query(sql), receiver.received)
    expect(changes).toBeGreaterThan(300)
    expect(reckoned).toEqual({ missing: [], invented: [], twice: expect.any(Number) })
    expect(others.every((worker) => worker.isRunning)).toBe(true)
  })
})
