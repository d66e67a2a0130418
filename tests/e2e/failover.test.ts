import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pour, signUps, taken } from '../support/http/deliveries.js'
import { canOpenDatabasePair, type DatabasePair, openDatabasePair } from '../support/mysql/database-pair.js'
import { isReady } from '../support/processes/processes.js'
import { canOpenHouse, type House, openHouse } from '../support/processes/stack.js'
import { openRedisPair, type RedisPair } from '../support/queue/redis-pair.js'
import { until } from '../support/until.js'

/*
 * The old servers stay up after a failover, with all connections to them: no process is restarted.
 */
const isPossible = (await canOpenHouse('own redis')) && (await canOpenDatabasePair())
const owned = new Releasers()
let redis: RedisPair
let database: DatabasePair
let house: House
beforeAll(async () => {
  if (!isPossible) return
  redis = owned.use(await openRedisPair())
  database = owned.use(await openDatabasePair())
  house = owned.use(await openHouse('own redis', redis.url))
})
afterAll(() => owned[Symbol.asyncDispose]())

async function isApplied(eventIds: readonly string[]): Promise<boolean> {
  const marks = eventIds.map(() => '?').join()
  const [row] = await database
    .primary()
    .query<{ n: bigint }>(`SELECT COUNT(*) AS n FROM clerk_mirror.webhook_events WHERE event_id IN (${marks})`, [
      ...eventIds,
    ])
  return Number(row?.n) === eventIds.length
}

describe.skipIf(!isPossible)('after a failover', () => {
  test('of Redis, and then of MySQL, events are taken and applied by the processes that were there before', async () => {
    await using ingest = await house.ingest()
    await using worker = await house.worker({ DATABASE_URL: database.url })
    await until(() => isReady(ingest))
    await until(() => isReady(worker))
    const events = signUps(1, 120)
    const pourAndApply = async (some: typeof events) => {
      const traffic = pour(ingest, some)
      await traffic.done
      const ids = taken(traffic.answers).map(({ eventId }) => eventId)
      expect(ids).toHaveLength(some.length)
      await until(() => isApplied(ids))
    }
    await pourAndApply(events.slice(0, 40))

    await redis.promote()
    redis.moveName()
    await until(() => isReady(ingest))
    await pourAndApply(events.slice(40, 80))

    await database.promote()
    database.moveName()
    await pourAndApply(events.slice(80))
    // The first refusal of the old primary was the last one.
    expect(worker.logged('breaker.opened').length).toBeLessThanOrEqual(1)
    expect(worker.logged('event.retrying')).toEqual([])
  })
})
