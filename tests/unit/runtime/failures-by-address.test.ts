import { FailuresByAddress, networkOf } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

const LIMIT = { failuresMax: 10, windowMs: 60_000, addressesMax: 100 }

function counting() {
  const time = { nowMs: 1_700_000_000_000 }
  const failures = new FailuresByAddress(LIMIT, () => time.nowMs)
  return { time, failures }
}

test('after ten failures an address waits, others do not, and its time comes again', () => {
  const { time, failures } = counting()
  for (let count = 1; count <= LIMIT.failuresMax; count += 1) {
    expect(failures.waitS('192.0.2.1')).toBe(0)
    expect(failures.add('192.0.2.1')).toBe(count)
  }
  expect(failures.waitS('192.0.2.1')).toBe(60)
  expect(failures.waitS('192.0.2.2')).toBe(0)
  time.nowMs += LIMIT.windowMs
  expect(failures.waitS('192.0.2.1')).toBe(0)
  expect(failures.add('192.0.2.1')).toBe(1)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['2001:0DB8:0000:0001:aaaa:bbbb:cccc:dddd', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['192.0.2.1:4711', '192.0.2.1'],
  ['[2001:db8:0:1::1]:4711', '2001:db8:0:1::/64'],
  ['[2001:db8:0:1::1]', '2001:db8:0:1::/64'],
  ['[::ffff:192.0.2.1]:4711', '192.0.2.1'],
  ['not an address', 'unknown'],
  ['192.0.2.1:', 'unknown'],
  ['192.0.2.1:4711:4711', 'unknown'],
  ['192.0.2.256:4711', 'unknown'],
  ['[nobody]:4711', 'unknown'],
  ['', 'unknown'],
  ['1'.repeat(10_000), 'unknown'],
])('"%.40s" counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('a full table forgets the address whose window is oldest, and no other', () => {
  const { failures } = counting()
  const fail = (address: string) => {
    for (let count = 0; count < LIMIT.failuresMax; count += 1) failures.add(address)
  }
  fail('192.0.2.1')
  fail('192.0.2.2')
  for (let other = 1; other < LIMIT.addressesMax; other += 1) failures.add(`10.0.0.${other}`)
  expect(failures.waitS('192.0.2.1')).toBe(0)
  expect(failures.waitS('192.0.2.2')).toBe(60)
})
