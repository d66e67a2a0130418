import { expect, test } from 'vitest'
import { chart } from '../../../apps/console/src/pages/chart.js'
import { count, duration } from '../../../apps/console/src/pages/format.js'

const shared = { title: 'Decided', say: count, placeOf: (index: number) => `02:0${index}` }

test('bars stand on each other and the highest reaches the top; whoever does not see them hears a sentence', () => {
  const series = [
    { name: 'applied', tone: 'green', values: [1, 3, 0] },
    { name: 'stale', tone: 'blue', values: [1, 1, 0] },
  ]
  const svg = String(chart({ ...shared, shape: 'bars', series }))
  expect(svg).toContain('aria-label="Decided: at most 4 at 02:01, now 0."')
  expect(svg).toContain('<rect class="green" x="200" y="30" width="160" height="90"/>')
  expect(svg).toContain('<rect class="blue" x="200" y="0" width="160" height="30"/>')
  expect(svg).toContain('<title>02:02 · nothing</title>')
})

test('a line has a gap where nothing is known', () => {
  const series = [{ name: 'age', tone: 'blue', values: [2, null, 2, 1] }]
  const svg = String(chart({ ...shared, shape: 'lines', series }))
  expect(svg).toContain('d="M0 1h6M400 1L600 60"')
})

test.each([[[]], [[0, 0]], [[null]]])('of %j a chart says that there was nothing', (values) => {
  for (const shape of ['bars', 'lines'] as const) {
    const svg = String(chart({ ...shared, shape, series: [{ name: 'age', tone: 'blue', values }] }))
    expect(svg).toContain('Decided: nothing in this time.')
    expect(svg).not.toMatch(/NaN|Infinity|<rect|class="line/)
  }
})

test.each([
  [0, '0 ms'],
  [850, '850 ms'],
  [1200, '1.2 s'],
  [42_000, '42 s'],
  [7 * 60_000, '7 min'],
  [3 * 3_600_000, '3 h'],
  [50 * 3_600_000, '2 d'],
])('%i ms read as %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})
