import { parseRedisUrl } from '@clerk-mirror/queue/enqueue'
import { expect, test } from 'vitest'

test('a URL is read into nodes, account, TLS and database', () => {
  expect(parseRedisUrl('rediss://ada:s%3Fcret@redis.example.com/3')).toEqual({
    nodes: [{ host: 'redis.example.com', port: 6379 }],
    username: 'ada',
    password: 's?cret',
    tls: true,
    database: 3,
  })
})

test.each([
  'redis://u:p@a:7000,b:7001,redis://c:7002',
  'redis://u:p@a:7000,redis://u:p@b:7001/0',
  'redis://[::1]:7000,[::1]:7001',
])('the nodes of a cluster share what the first says: %s', (raw) => {
  expect(parseRedisUrl(raw).nodes.length).toBeGreaterThan(1)
})

test.each([
  ['http://localhost:6379', 'neither redis:// nor rediss://'],
  ['localhost', 'is not a URL'],
  ['redis:///0', 'names no host'],
  ['redis://localhost:0', 'port'],
  ['redis://localhost/queue', 'number of a database'],
  ['redis://a,b/1', 'number of a database|another scheme'],
  ['redis://a/1,b', 'names a database'],
  ['redis://localhost?db=2', 'holds a \\? or #'],
  ['redis://:pass#word@localhost', 'is not a URL|holds a \\? or #'],
  ['redis://:100%@localhost', 'percent-encoded'],
  ['redis://a,rediss://b', 'another scheme'],
  ['redis://u:p@a,redis://u:other@b', 'another scheme, user, password'],
])('%s is refused, and its text is not repeated', (raw, problem) => {
  expect(() => parseRedisUrl(raw)).toThrow(new RegExp(problem))
  expect(() => parseRedisUrl(raw)).not.toThrow(/pass#|other@|:100/)
})
