import fc from 'fast-check'
import { expect, test } from 'vitest'
import { indexOf, spreadBy } from '../../../packages/queue/src/partitions.js'

test('an object has the same partition today, tomorrow and in every process', () => {
  // Were these to change, a release would spread the events of one object over two partitions.
  expect(['user_1', 'user_2', 'org_1', 'msg_2bYZ0', ''].map((id) => indexOf(id, 4))).toEqual([2, 0, 1, 0, 3])
  expect(['user_1', 'user_2', 'org_1', 'msg_2bYZ0', ''].map((id) => indexOf(id, 64))).toEqual([38, 12, 57, 32, 11])
})

test('every id has a partition that there is', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (id, count) => {
      const index = indexOf(id, count)
      return Number.isInteger(index) && index >= 0 && index < count
    }),
  )
})

test('ids that differ in their last letters alone are spread evenly', () => {
  for (const count of [2, 3, 4, 16]) {
    const sizes = Array.from({ length: count }, () => 0)
    for (let number = 0; number < 16_000; number += 1) {
      const index = indexOf(`user_2bYZ0${number.toString(36)}`, count)
      sizes[index] = (sizes[index] ?? 0) + 1
    }
    for (const size of sizes) expect(Math.abs(size / (16_000 / count) - 1)).toBeLessThan(0.15)
  }
})

test('an event that is about no object is spread by its own id', () => {
  expect(spreadBy({ objectId: null, eventId: 'msg_a' })).toBe('msg_a')
  expect(spreadBy({ objectId: 'user_1', eventId: 'msg_a' })).toBe('user_1')
})
