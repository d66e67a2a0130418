import { expect, test } from 'vitest'
import { redisRefusal } from '../../../packages/queue/src/redis-refusals.js'

test('a Redis without memory is full', () => {
  expect(redisRefusal("OOM command not allowed when used memory > 'maxmemory'.")).toBe('redis_full')
})

test.each([
  'BUSY Redis is busy running a script.',
  'CLUSTERDOWN The cluster is down',
  'LOADING Redis is loading the dataset in memory',
  'MASTERDOWN Link with MASTER is down',
  'MISCONF Errors writing to the AOF file',
  'NOAUTH Authentication required.',
  "NOPERM this user has no permissions to run the 'evalsha' command",
  'NOREPLICAS Not enough good replicas to write.',
  "READONLY You can't write against a read only replica.",
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'WRONGPASS invalid username-password pair or user is disabled.',
  'Command timed out',
  'Connection is closed.',
  '',
])('whatever else it says, it is not available: %s', (message) => {
  expect(redisRefusal(message)).toBe('redis_unavailable')
})
