import { afterEach, expect, test } from 'vitest'
import { Load } from '../../../packages/queue/src/consume/load.js'

const open: Load[] = []
afterEach(() => {
  for (const load of open.splice(0)) load[Symbol.dispose]()
})

function openLoad() {
  const clock = { nowMs: 0 }
  const load = new Load(() => clock.nowMs)
  open.push(load)
  const late = (...lags: number[]) => {
    for (const lagMs of lags) load.add(lagMs)
  }
  return { load, clock, late }
}

test('a worker that is not starved leases for six seconds and takes all that it may have', () => {
  const { load, late } = openLoad()
  late(...Array(100).fill(40))
  expect(load).toMatchObject({ leaseMs: 6000, share: 1 })
})

test('a process that was frozen once is not starved', () => {
  const { load, late } = openLoad()
  late(2, 40_000, 3, 20_000)
  expect(load).toMatchObject({ leaseMs: 6000 })
})

test('a starved worker leases for longer, up to a minute, and no longer than it is starved', () => {
  const { load, clock, late } = openLoad()
  late(900, 1000, 1100)
  expect(load).toMatchObject({ leaseMs: 8 * 900 })
  late(4000, 5000, 30_000.4)
  expect(load.leaseMs).toBe(8 * 4000)
  late(25_000, 20_000)
  expect(load.leaseMs).toBe(60_000)
  clock.nowMs = 60_001
  expect(load).toMatchObject({ leaseMs: 6000 })
})

test('a lease is a whole number of milliseconds, as Redis wants it', () => {
  const { load, late } = openLoad()
  late(1000.3, 1000.3, 1000.3)
  expect(load.leaseMs).toBe(8002)
})

test('a worker whose turns take seconds takes less into each, a sixteenth at least, and more again when they are short', () => {
  const { load, late } = openLoad()
  late(1000)
  expect(load.share).toBe(1 / 2)
  late(500)
  expect(load.share, 'neither short nor long').toBe(1 / 2)
  late(3000, 3000, 3000, 3000, 3000)
  expect(load.share).toBe(1 / 16)
  late(10, 10)
  expect(load.share).toBe(1 / 4)
  late(10, 10, 10)
  expect(load.share).toBe(1)
})
