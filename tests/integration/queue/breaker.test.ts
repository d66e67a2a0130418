import { Failure } from '@clerk-mirror/events'
import { expect, test } from 'vitest'
import { type Delivery, type Handle, Line } from '../../../packages/queue/src/consume/dispatcher.js'
import { latch, until } from '../../support/until.js'

const outage = new Failure('outage', 'mysql_1114', 'the table is full')
const poison = { kind: 'failed' as const, failure: new Failure('poison', 'malformed', 'data.id') }
const done = { kind: 'done' as const }
const delivery = (eventId: string): Delivery => ({
  envelope: {
    eventId,
    type: 'user.created',
    objectId: null,
    instanceId: null,
    source: 'clerk',
    receivedAtMs: 0,
    body: '',
  },
  attempt: 1,
})

/** A line with probes that pass at once, and the start of each of its runs, in ms since the first. */
function openLine(handle: Handle) {
  const beganMs: number[] = []
  const line = new Line({
    probe: async () => {},
    onBreaker: () => {},
    // The shortest pauses: a half of 250, 500, 1000, 2000 and 3000 ms.
    random: () => 0,
    handle: (batch) => {
      beganMs.push(performance.now())
      return handle(batch)
    },
  })
  const pausesMs = () => beganMs.slice(1).map((ms, index) => ms - (beganMs[index] ?? 0))
  return { line, beganMs, pausesMs }
}

test('while the probe passes and events fail, the pause before each try grows', async () => {
  let runs = 0
  const { line, pausesMs } = openLine(async (batch) => {
    runs += 1
    if (runs <= 6) throw outage
    return batch.map(() => done)
  })
  const settled = Promise.all(['one', 'two'].map((id) => line.push(delivery(id))))
  expect(await settled).toEqual([done, done])
  for (const [index, leastMs] of [125, 250, 500, 1000, 1500, 1500].entries()) {
    // Timers may be a millisecond early.
    expect(pausesMs()[index], `pause ${index + 1}`).toBeGreaterThan(leastMs - 5)
  }
  line.close()
})

test('an event that never came to the database does not say that it works', async () => {
  let [runs, malformedRun] = [0, 0]
  const { line, beganMs, pausesMs } = openLine(async (batch) => {
    runs += 1
    if (batch.some(({ envelope }) => envelope.eventId === 'malformed')) {
      malformedRun = runs
      return batch.map(() => poison)
    }
    if (malformedRun === 0 || runs <= malformedRun + 2) throw outage
    return batch.map(() => done)
  })
  const settled = ['one', 'two'].map((id) => line.push(delivery(id)))
  await until(() => beganMs.length === 4)
  // It goes to the back; then it is the probe, and the breaker closes. Both others fail once more.
  settled.push(line.push(delivery('malformed')))
  expect(await Promise.all(settled)).toEqual([done, done, poison])
  expect(Math.max(...pausesMs().slice(malformedRun)), 'the pause after that').toBeGreaterThan(1495)
  line.close()
})

test('a line that is told to wait no longer releases what runs and what comes later, and hears no result of it', async () => {
  const finish = latch()
  const { line, beganMs } = openLine(async (batch) => {
    await finish.opened
    return batch.map(() => done)
  })
  const running = line.push(delivery('running'))
  await until(() => beganMs.length === 1)
  line.close()
  line.release()
  const released = { kind: 'handed-back' }
  expect([await running, await line.push(delivery('late')), line.inHand]).toEqual([released, released, 0])
  finish.open()
  await until(() => line.breaker.kind === 'closed')
  expect(line.inHand).toBe(0)
})
