import { openMetrics } from '@clerk-mirror/runtime'
import { register } from 'prom-client'
import { expect, test } from 'vitest'

test('a scrape gets our metrics and those of the process, all with the name of the app', async () => {
  const metrics = openMetrics('worker')
  const applied = metrics.counter({ name: 'clerk_mirror_applied_total', help: 'Applied events.', labels: ['outcome'] })
  const waiting = metrics.gauge({ name: 'clerk_mirror_waiting', help: 'Events that wait.' })
  const lag = metrics.histogram({ name: 'clerk_mirror_lag_seconds', help: 'Lag.', labels: ['kind'], buckets: [1, 5] })
  applied.inc({ outcome: 'applied' })
  applied.inc({ outcome: 'applied' }, 2)
  waiting.set({}, 7)
  lag.observe({ kind: 'user' }, 3)

  const text = await metrics.text()
  expect(text).toContain('clerk_mirror_applied_total{outcome="applied",app="worker"} 3')
  expect(text).toContain('clerk_mirror_waiting{app="worker"} 7')
  expect(text).toContain('clerk_mirror_lag_seconds_bucket{le="1",app="worker",kind="user"} 0')
  expect(text).toContain('clerk_mirror_lag_seconds_bucket{le="5",app="worker",kind="user"} 1')
  expect(text).toMatch(/^process_cpu_seconds_total\{app="worker"\} /m)
  expect(metrics.contentType).toContain('text/plain')
})

test('two registries in one process know nothing of each other, and the global one stays empty', async () => {
  const definition = { name: 'clerk_mirror_accepted_total', help: 'Accepted events.' } as const
  const ingest = openMetrics('ingest')
  const worker = openMetrics('worker')
  ingest.counter(definition).inc({})
  worker.counter(definition)
  expect(await worker.text()).toContain('clerk_mirror_accepted_total{app="worker"} 0')
  expect(register.getMetricsAsArray()).toEqual([])
})

test('a name can be taken once', () => {
  const metrics = openMetrics('worker')
  metrics.counter({ name: 'clerk_mirror_twice_total', help: 'Once.' })
  expect(() => metrics.counter({ name: 'clerk_mirror_twice_total', help: 'Twice.' })).toThrow()
})

test('a scrape says which version and which commit runs, and how many log lines were dropped', async () => {
  const text = await openMetrics('worker').text()
  expect(text).toMatch(
    /^clerk_mirror_build_info\{version="\d+\.\d+\.\d+",commit="(?:unknown|[0-9a-f]{40})",app="worker"\} 1$/m,
  )
  expect(text).toMatch(/^clerk_mirror_log_lines_dropped_total\{app="worker"\} 0$/m)
})
