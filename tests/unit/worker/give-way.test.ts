import { expect, test } from 'vitest'
import { giveWay } from '../../../apps/worker/src/give-way.js'
import { TURN_RUNS } from '../../../apps/worker/src/policy.js'
import { until } from '../../support/until.js'

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
  const steps = new Set<number>()
  await until(() => {
    steps.add(begun.length)
    return begun.length === 3 * TURN_RUNS
  })
  expect([...steps].every((step) => step % TURN_RUNS === 0)).toBe(true)
  expect(begun).toEqual(numbers(3 * TURN_RUNS))
})

test('all that waited begin when no events wait any more, and new ones not before them', async () => {
  let isBehind = true
  using turn = giveWay(() => isBehind)
  const begun = askFor(turn, 10 * TURN_RUNS)
  isBehind = false
  let last = false
  void turn().then(() => {
    last = true
    expect(begun).toHaveLength(10 * TURN_RUNS)
  })
  await until(() => last)
})

test('nobody waits for a turn of a worker that stops', async () => {
  const turn = giveWay(() => true)
  const begun = askFor(turn, 100)
  turn[Symbol.dispose]()
  const later = askFor(turn, 1)
  await Promise.resolve()
  expect([begun.length, later.length]).toEqual([100, 1])
})
