import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countWithin, windowsOf } from '../../../packages/operations/src/probe-windows.js'

const END_MS = 10_000
const times = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 400 }).map((all) => all.sort((a, b) => a - b))

test('windows cover all time, hold every user once, and no user was created at a border', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 64 }), (created, atMost) => {
      const windows = windowsOf(created, END_MS, atMost)
      expect(windows.length).toBeLessThanOrEqual(atMost)
      expect(windows[0]?.fromMs).toBeNull()
      expect(windows.at(-1)?.toMs).toBe(END_MS)
      expect(windows.slice(1).map(({ fromMs }) => fromMs)).toEqual(windows.slice(0, -1).map(({ toMs }) => toMs))
      expect(windows.filter(({ fromMs, toMs }) => (fromMs ?? -1) >= toMs)).toEqual([])
      const counts = windows.map((window) => countWithin(created, window))
      expect(counts.reduce((sum, each) => sum + each, 0)).toBe(created.length)
      const borders = new Set(windows.map(({ fromMs }) => fromMs))
      expect(created.filter((time) => borders.has(time))).toEqual([])
    }),
  )
})

test('a million users make windows of equal shares', () => {
  const created = Array.from({ length: 1_000_000 }, (_, n) => n * 2_000)
  const counts = windowsOf(created, 2_000_000_000, 256).map((window) => countWithin(created, window))
  expect(counts).toHaveLength(256)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
})
