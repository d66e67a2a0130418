import { parseMirroredKinds } from '@clerk-mirror/events'
import { openMirror } from '@clerk-mirror/mirror'
import type { Handle } from '@clerk-mirror/queue/consume'
import { expect, test } from 'vitest'
import { handlerFor } from '../../../apps/worker/src/handle.js'
import { BATCH_MAX, IN_FLIGHT_MAX } from '../../../packages/queue/src/limits.js'
import { openTestDatabase } from '../../support/mysql/database.js'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'

const EVENTS = 10_000
const POISONED = 5_000
const idOf = (index: number) => `msg_${index}`

async function acceptAll({ producer }: TestQueue): Promise<void> {
  const indexes = Array.from({ length: EVENTS }, (_, index) => index).values()
  const lane = async () => {
    for (const index of indexes) {
      const username = index === POISONED ? 'poison' : `u${index}`
      const data = { id: `user_${index}`, username, updated_at: 1_700_000_000_000 }
      const body = JSON.stringify({ type: 'user.created', timestamp: 1_700_000_000_000, data })
      await producer.enqueue(envelope(idOf(index), { objectId: data.id, body }))
    }
  }
  await Promise.all(Array.from({ length: 64 }, lane))
}

/** The batches in the order in which they began, each with how many had ended by then and by its own end. */
type Batch = { ids: string[]; endedBefore: number; endedDuring: number }

function noting(handle: Handle): { batches: Batch[]; handle: Handle } {
  const batches: Batch[] = []
  let ended = 0
  return {
    batches,
    async handle(deliveries) {
      const batch = { ids: deliveries.map((each) => each.envelope.eventId), endedBefore: ended, endedDuring: 0 }
      batches.push(batch)
      const dispositions = await handle(deliveries)
      batch.endedDuring = ended - batch.endedBefore
      ended += 1
      return dispositions
    },
  }
}

test('a poisoned event among ten thousand delays none of the others by more than its batch', async () => {
  await using queue = await openTestQueue()
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  await database.query("ALTER TABLE users ADD CONSTRAINT no_poison CHECK (username <> 'poison')")
  await acceptAll(queue)
  const order = (await queue.redis.lrange(queue.partition.key('wait'), 0, -1)).reverse()
  expect(order).toHaveLength(EVENTS)

  const { batches, handle } = noting(handlerFor(mirror, parseMirroredKinds('*'), () => {}))
  const { seen } = queue.work({ handle, probe: mirror.canary })
  await until(() => batches.reduce((sum, { ids }) => sum + ids.length, 0) >= EVENTS, 150_000)
  await until(() => seen.dead.length > 0)
  expect(seen.dead).toMatchObject([{ id: idOf(POISONED), failure: { class: 'poison' } }])
  expect(seen.retried).toEqual([])
  await until(async () => {
    const [row] = await database.query<{ n: bigint }>('SELECT COUNT(*) AS n FROM webhook_events WHERE attempts = 1')
    return Number(row?.n) === EVENTS - 1
  })

  // Each of the others was decided in the one batch that it came in, in its turn.
  const began = batches.flatMap(({ ids }) => ids)
  expect(began).toHaveLength(EVENTS)
  const placeOf = new Map(order.map((id, place) => [id, place]))
  const late = began.map((id, place) => place - (placeOf.get(id) ?? 0)).filter((by) => by > IN_FLIGHT_MAX)
  expect(late).toEqual([])
  // While the poisoned batch was taken apart, the others went on beside it.
  const poisoned = batches.find(({ ids }) => ids.includes(idOf(POISONED)))
  expect(poisoned?.ids.length).toBeLessThanOrEqual(BATCH_MAX)
  expect(poisoned?.endedDuring).toBeGreaterThan(0)
})
