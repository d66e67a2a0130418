import { trustedProxies } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

test.each([
  ['10.1.2.3', ['10.1.2.3']],
  ['loopback, 10.0.0.0/8', ['loopback', '10.0.0.0/8']],
  ['2001:db8::/32 uniquelocal', ['2001:db8::/32', 'uniquelocal']],
])('%s are proxies', (raw, expected) => {
  expect(trustedProxies(raw)).toEqual(expected)
})

test.each(['true', '1', '2', 'proxy.internal', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '/8', ',', '2001:db8::/129'])(
  '"%s" is no list of proxies',
  (raw) => {
    expect(() => trustedProxies(raw)).toThrow('must be addresses')
  },
)

test.each(['0.0.0.0/0', '::/0', '10.0.0.1,::/00', '10.0.0.1/0'])('"%s" would believe everybody', (raw) => {
  expect(() => trustedProxies(raw)).toThrow('every address')
})
