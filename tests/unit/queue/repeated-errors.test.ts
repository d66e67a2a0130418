import { expect, test } from 'vitest'
import { RepeatedErrors } from '../../../packages/queue/src/consume/repeated-errors.js'
import { ERROR_REPEATS_MS } from '../../../packages/queue/src/limits.js'

test('an error that repeats is news once, for as long as it repeats, and again after a pause', () => {
  let nowMs = 0
  const errors = new RepeatedErrors(() => nowMs)
  const toldAt = (ms: number, message: string) => {
    nowMs = ms
    return errors.add(message)
  }
  expect(toldAt(0, 'Socket timeout')).toBe(true)
  expect(toldAt(1, 'connect ETIMEDOUT')).toBe(true)
  for (let round = 1; round < 5; round += 1) expect(toldAt(round * ERROR_REPEATS_MS, 'Socket timeout')).toBe(false)
  expect(toldAt(5 * ERROR_REPEATS_MS + 1, 'Socket timeout')).toBe(true)
})
