import { expect, test } from 'vitest'
import { seededRandom } from '../../../packages/devstack/src/random.js'
import {
  type ConsumerProfile,
  EVENT_CONSUMER_PROFILE,
  REACTION_CONSUMER_PROFILE,
} from '../../../packages/queue/src/consume/consumer-profile.js'
import { retryDelay } from '../../../packages/queue/src/consume/retry.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const EVENTS = 20_000

/** Milliseconds from an event's first failure to each further try, of many events. */
function triesOf(profile: ConsumerProfile): number[][] {
  const random = seededRandom(20_261_130).fraction
  return Array.from({ length: EVENTS }, () => {
    let atMs = 0
    return profile.retries.map((_, index) => {
      atMs += retryDelay(index + 1, random, profile)
      return atMs
    })
  })
}

/** The share of events with a last try while the cause of their failures still lasted. */
const deadOf = (tries: readonly number[][], causeMs: number) =>
  tries.filter((times) => (times.at(-1) ?? 0) <= causeMs).length / tries.length

const median = (values: readonly number[]) => values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0

test('a cause that lasts up to four hours kills fewer than one event in a thousand', () => {
  const tries = triesOf(EVENT_CONSUMER_PROFILE)
  for (const hours of [1, 2, 3, 4]) expect(deadOf(tries, hours * HOUR_MS)).toBeLessThan(0.001)
  expect(median(tries.map((times) => times.at(-1) ?? 0)) / HOUR_MS).toBeCloseTo(5.3, 1)
})

test('a receiver of reactions that is down for a day gets them all', () => {
  const tries = triesOf(REACTION_CONSUMER_PROFILE)
  expect(deadOf(tries, 24 * HOUR_MS)).toBeLessThan(0.001)
  expect(median(tries.map((times) => times.at(-1) ?? 0)) / HOUR_MS).toBeCloseTo(30.7, 1)
})

test.each([
  ['events', EVENT_CONSUMER_PROFILE, 4],
  ['reactions', REACTION_CONSUMER_PROFILE, 24],
] as const)(
  'of %s even the luckless, whose every delay is the shortest, are tried for that long',
  (_, profile, hours) => {
    const shortest = profile.retries.map((_, index) => retryDelay(index + 1, () => 0, profile))
    expect(shortest.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(hours * HOUR_MS)
  },
)

test('each delay is a fifth longer or shorter than in the table, and those of a crowd are spread over all of that', () => {
  const random = seededRandom(7).fraction
  for (const [index, { delayMs }] of EVENT_CONSUMER_PROFILE.retries.entries()) {
    const shares = Array.from({ length: 1_000 }, () => retryDelay(index + 1, random) / delayMs)
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.8)
    expect(Math.max(...shares)).toBeLessThanOrEqual(1.2)
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.38)
  }
})

test.each([
  ['events', EVENT_CONSUMER_PROFILE],
  ['reactions', REACTION_CONSUMER_PROFILE],
] as const)('the table of %s has the running sums of its delays', (_, { retries }) => {
  let sumMs = 0
  for (const { delayMs, sinceFirstMs } of retries) {
    sumMs += delayMs
    expect(sinceFirstMs).toBe(sumMs)
  }
})
