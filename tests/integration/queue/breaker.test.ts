import { Failure } from '@clerk-mirror/events'
import { expect, test } from 'vitest'
import { BatchDispatcher, type Delivery, type Handle } from '../../../packages/queue/src/consume/dispatcher.js'
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

/** A dispatcher with probes that pass at once, and the start of each of its runs, in ms since the first. */
function openDispatcher(handle: Handle) {
  const beganMs: number[] = []
  const dispatcher = new BatchDispatcher({
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
  return { dispatcher, beganMs, pausesMs }
}

test('while the probe passes and events fail, the pause before each try grows', async () => {
  let runs = 0
  const { dispatcher, pausesMs } = openDispatcher(async (batch) => {
    runs += 1
    if (runs <= 6) throw outage
    return batch.map(() => done)
  })
  const settled = Promise.all(['one', 'two'].map((id) => dispatcher.push(delivery(id))))
  expect(await settled).toEqual([done, done])
  for (const [index, leastMs] of [125, 250, 500, 1000, 1500, 1500].entries()) {
    // Timers may be a millisecond early.
    expect(pausesMs()[index], `pause ${index + 1}`).toBeGreaterThan(leastMs - 5)
  }
  dispatcher.close()
})

test('an event that never came to the database does not say that it works', async () => {
  let [runs, malformedRun] = [0, 0]
  const { dispatcher, beganMs, pausesMs } = openDispatcher(async (batch) => {
    runs += 1
    if (batch.some(({ envelope }) => envelope.eventId === 'malformed')) {
      malformedRun = runs
      return batch.map(() => poison)
    }
    if (malformedRun === 0 || runs <= malformedRun + 2) throw outage
    return batch.map(() => done)
  })
  const settled = ['one', 'two'].map((id) => dispatcher.push(delivery(id)))
  await until(() => beganMs.length === 4)
  // It goes to the back; then it is the probe, and the breaker closes. Both others fail once more.
  settled.push(dispatcher.push(delivery('malformed')))
  expect(await Promise.all(settled)).toEqual([done, done, poison])
  expect(Math.max(...pausesMs().slice(malformedRun)), 'the pause after that').toBeGreaterThan(1495)
  dispatcher.close()
})

test('a dispatcher that is told to wait no longer releases what runs and what comes later, and hears no result of it', async () => {
  const finish = latch()
  const { dispatcher, beganMs } = openDispatcher(async (batch) => {
    await finish.opened
    return batch.map(() => done)
  })
  const running = dispatcher.push(delivery('running'))
  await until(() => beganMs.length === 1)
  dispatcher.close()
  dispatcher.releaseRunning()
  const released = { kind: 'released' }
  expect([await running, await dispatcher.push(delivery('late')), dispatcher.inFlight]).toEqual([released, released, 0])
  finish.open()
  await until(() => dispatcher.breaker.kind === 'closed')
  expect(dispatcher.inFlight).toBe(0)
})
