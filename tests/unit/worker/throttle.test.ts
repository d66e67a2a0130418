import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { THROTTLE_GAP_MS, THROTTLED_RUNS } from '../../../apps/worker/src/limits.js'
import { throttleWhileSaturated } from '../../../apps/worker/src/reaction-runtime/throttle.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Starts this many runs and returns the numbers of those that have begun. */
function start(throttle: () => Promise<void>, count: number): number[] {
  const begun: number[] = []
  for (let number = 0; number < count; number += 1) void throttle().then(() => begun.push(number))
  return begun
}
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

test('runs begin at once while the worker is not saturated', async () => {
  using throttle = throttleWhileSaturated(() => false)
  const begun = start(throttle, 100)
  await Promise.resolve()
  expect(begun).toEqual(numbers(100))
})

test('while the worker is saturated, runs begin a few at a time in order, and never stop altogether', async () => {
  using throttle = throttleWhileSaturated(() => true)
  const begun = start(throttle, 3 * THROTTLED_RUNS)
  await vi.advanceTimersByTimeAsync(THROTTLE_GAP_MS - 1)
  expect(begun).toEqual([])
  for (const times of [1, 2, 3]) {
    await vi.advanceTimersByTimeAsync(times === 1 ? 1 : THROTTLE_GAP_MS)
    expect(begun).toEqual(numbers(times * THROTTLED_RUNS))
  }
})

test('waiting runs begin together once the worker is no longer saturated, and new ones not before them', async () => {
  let isSaturated = true
  using throttle = throttleWhileSaturated(() => isSaturated)
  const begun = start(throttle, 10 * THROTTLED_RUNS)
  isSaturated = false
  const last = start(throttle, 1)
  expect(await Promise.race([Promise.resolve('none yet'), throttle()])).toBe('none yet')
  expect([begun.length, last.length]).toEqual([0, 0])
  await vi.advanceTimersByTimeAsync(THROTTLE_GAP_MS)
  expect([begun.length, last.length]).toEqual([10 * THROTTLED_RUNS, 1])
  await throttle() // at once
})

test('a worker that stops lets all waiting runs through', async () => {
  const throttle = throttleWhileSaturated(() => true)
  const begun = start(throttle, 100)
  await Promise.resolve()
  expect(begun).toEqual([])
  throttle[Symbol.dispose]()
  const later = start(throttle, 1)
  await Promise.resolve()
  expect([begun.length, later.length]).toEqual([100, 1])
})
