import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TURN_GAP_MS, TURN_RUNS } from '../../../apps/worker/src/limits.js'
import { giveWay } from '../../../apps/worker/src/reaction-runtime/throttle.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Asks for so many turns; says which of them have begun. */
function askFor(turn: () => Promise<void>, count: number): number[] {
  const begun: number[] = []
  for (let number = 0; number < count; number += 1) void turn().then(() => begun.push(number))
  return begun
}
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

test('runs begin at once while no events wait', async () => {
  using turn = giveWay(() => false)
  const begun = askFor(turn, 100)
  await Promise.resolve()
  expect(begun).toEqual(numbers(100))
})

test('while events wait runs begin a few at a time in their order, and never stand still', async () => {
  using turn = giveWay(() => true)
  const begun = askFor(turn, 3 * TURN_RUNS)
  await vi.advanceTimersByTimeAsync(TURN_GAP_MS - 1)
  expect(begun).toEqual([])
  for (const times of [1, 2, 3]) {
    await vi.advanceTimersByTimeAsync(times === 1 ? 1 : TURN_GAP_MS)
    expect(begun).toEqual(numbers(times * TURN_RUNS))
  }
})

test('all that waited begin together when no events wait any more, and new ones not before them', async () => {
  let isBehind = true
  using turn = giveWay(() => isBehind)
  const begun = askFor(turn, 10 * TURN_RUNS)
  isBehind = false
  const last = askFor(turn, 1)
  expect(await Promise.race([Promise.resolve('none yet'), turn()])).toBe('none yet')
  expect([begun.length, last.length]).toEqual([0, 0])
  await vi.advanceTimersByTimeAsync(TURN_GAP_MS)
  expect([begun.length, last.length]).toEqual([10 * TURN_RUNS, 1])
  await turn() // at once
})

test('nobody waits for a turn of a worker that stops', async () => {
  const turn = giveWay(() => true)
  const begun = askFor(turn, 100)
  await Promise.resolve()
  expect(begun).toEqual([])
  turn[Symbol.dispose]()
  const later = askFor(turn, 1)
  await Promise.resolve()
  expect([begun.length, later.length]).toEqual([100, 1])
})
