import { expect, test } from 'vitest'
import { BlockedCauses } from '../../../apps/worker/src/blocked-causes.js'
import { BLOCKED_LOG_MS, BLOCKED_NOTE_MS } from '../../../apps/worker/src/limits.js'

test('a cause is logged once, each cause by itself, and again after an hour', () => {
  const clock = { nowMs: 0 }
  const causes = new BlockedCauses(() => clock.nowMs)
  expect([causes.add('mysql_1062', 'a unique index'), causes.add('mysql_1062', 'a unique index')]).toEqual([
    true,
    false,
  ])
  expect(causes.add('mysql_1451', 'a foreign key')).toBe(true)
  clock.nowMs = BLOCKED_LOG_MS
  expect([causes.add('mysql_1062', 'a unique index'), causes.add('mysql_1062', 'a unique index')]).toEqual([
    true,
    false,
  ])
})

test('a cause is noted for as long as it blocks events', () => {
  const clock = { nowMs: 0 }
  const causes = new BlockedCauses(() => clock.nowMs)
  expect(causes.note()).toBeNull()
  causes.add('mysql_1062', 'a unique index')
  clock.nowMs = BLOCKED_NOTE_MS
  causes.add('mysql_1205', 'a held row')
  expect(causes.note()).toBe('events are blocked: mysql_1062, a unique index; mysql_1205, a held row')
  clock.nowMs += 1
  expect(causes.note()).toBe('events are blocked: mysql_1205, a held row')
})
