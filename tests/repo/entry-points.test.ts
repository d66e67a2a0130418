import * as consume from '@clerk-mirror/queue/consume'
import * as enqueue from '@clerk-mirror/queue/enqueue'
import * as gauges from '@clerk-mirror/queue/gauges'
import * as operate from '@clerk-mirror/queue/operate'
import { expect, test } from 'vitest'

/** A reader takes in one side of the queue at a time. Types are not counted. */
const VALUES_MAX = 30

test.each(Object.entries({ consume, enqueue, gauges, operate }))('queue/%s exports few values', (_name, entry) => {
  const values = Object.keys(entry)
  expect(values.length).toBeGreaterThan(0)
  expect(values.length).toBeLessThanOrEqual(VALUES_MAX)
})
