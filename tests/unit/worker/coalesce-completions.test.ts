import { expect, test } from 'vitest'
import { coalesceCompletions } from '../../../apps/worker/src/reaction-runtime/coalesce-completions.js'
import { latch, until } from '../../support/until.js'

const LONG_MS = 60_000

test('work that is over waits for what else is under way, and they end together', async () => {
  const together = coalesceCompletions(LONG_MS)
  const slow = latch()
  const ended: string[] = []
  void together(Promise.resolve()).then(() => ended.push('quick'))
  void together(slow.opened).then(() => ended.push('slow'))
  await new Promise(setImmediate)
  expect(ended).toEqual([])
  slow.open()
  await new Promise(setImmediate)
  expect(ended).toEqual(['quick', 'slow'])
})

test('work that is alone, or that fails, waits for nobody', async () => {
  const together = coalesceCompletions(LONG_MS)
  expect(await together(Promise.resolve('done'))).toBe('done')
  await expect(together(Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('nobody waits longer than for a moment', async () => {
  const together = coalesceCompletions(5)
  let isOver = false
  const never = latch()
  void together(never.opened)
  void together(Promise.resolve()).then(() => {
    isOver = true
  })
  await until(() => isOver)
})
