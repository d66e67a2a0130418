import { retryDelay } from '@clerk-mirror/queue/consume'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../packages/devstack/src/random.js'
import { EVENTS_PACE, type Pace, REACTION_PACE } from '../../../packages/queue/src/consume/consumer-profile.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const EVENTS = 20_000

/** Milliseconds from an event's first failure to each further try, of many events. */
function triesOf(pace: Pace): number[][] {
  const random = seededRandom(20_261_130).fraction
  return Array.from({ length: EVENTS }, () => {
    let atMs = 0
    return pace.retryDelaysMs.map((_, index) => {
      atMs += retryDelay(index + 1, random, pace)
      return atMs
    })
  })
}

/** The share of events with a last try while the cause of their failures still lasted. */
const deadOf = (tries: readonly number[][], causeMs: number) =>
  tries.filter((times) => (times.at(-1) ?? 0) <= causeMs).length / tries.length

const median = (values: readonly number[]) => values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0

test('a cause that lasts up to four hours kills fewer than one event in a thousand', () => {
  const tries = triesOf(EVENTS_PACE)
  for (const hours of [1, 2, 3, 4]) expect(deadOf(tries, hours * HOUR_MS)).toBeLessThan(0.001)
  expect(median(tries.map((times) => times.at(-1) ?? 0)) / HOUR_MS).toBeCloseTo(5.3, 1)
})

test('a receiver of reactions that is down for a day gets them all', () => {
  const tries = triesOf(REACTION_PACE)
  expect(deadOf(tries, 24 * HOUR_MS)).toBeLessThan(0.001)
  expect(median(tries.map((times) => times.at(-1) ?? 0)) / HOUR_MS).toBeCloseTo(30.7, 1)
})

test.each([
  ['events', EVENTS_PACE, 4],
  ['reactions', REACTION_PACE, 24],
] as const)('of %s even the luckless, whose every delay is the shortest, are tried for that long', (_, pace, hours) => {
  const shortest = pace.retryDelaysMs.map((_, index) => retryDelay(index + 1, () => 0, pace))
  expect(shortest.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(hours * HOUR_MS)
})

test('each delay is a fifth longer or shorter than in the table, and those of a crowd are spread over all of that', () => {
  const random = seededRandom(7).fraction
  for (const [index, delayMs] of EVENTS_PACE.retryDelaysMs.entries()) {
    const shares = Array.from({ length: 1_000 }, () => retryDelay(index + 1, random) / delayMs)
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.8)
    expect(Math.max(...shares)).toBeLessThanOrEqual(1.2)
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.38)
  }
})
