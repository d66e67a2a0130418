import { host } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

test.each(['127.0.0.1', '0.0.0.0', '::', '::1', 'localhost', 'ingest-1.internal', 'my_service'])(
  '%s can be listened on',
  (raw) => {
    expect(host(raw)).toBe(raw)
  },
)

test.each([
  ...['0.0.0.0:8080', 'http://localhost', 'localhost/', '*', 'a b', '127.0.0', '256.1.1.1', '1', 'a..b', '-a'],
  ...['example.com.', '[::1]', ''],
])('"%s" is refused', (raw) => {
  expect(() => host(raw)).toThrow('must be an IP address or a host name')
})
