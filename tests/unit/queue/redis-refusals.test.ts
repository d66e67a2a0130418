import { expect, test } from 'vitest'
import { redisErrorCode } from '../../../packages/queue/src/enqueue/redis-errors.js'
import { isRoleError } from '../../../packages/queue/src/redis/server-role.js'

/** As Redis 6 says it of a script, whose own error comes last. */
const inRedis6 = (error: string) =>
  `ERR Error running script (call to f_1a2b): @user_script:13: @user_script: 13: -${error} `

test('a Redis without memory is full', () => {
  const message = "OOM command not allowed when used memory > 'maxmemory'."
  for (const each of [message, `${message} script: 1a2b, on @user_script:13.`, inRedis6(message)]) {
    expect(redisErrorCode(each)).toBe('redis_full')
  }
})

test.each([
  "READONLY You can't write against a read only replica.",
  "READONLY You can't write against a read only replica. script: 1a2b, on @user_script:13.",
  inRedis6("READONLY You can't write against a read only replica."),
  'LOADING Redis is loading the dataset in memory',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  inRedis6("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  'ERR WAIT cannot be used with replica instances. Please also note that …',
])('speaks of the role of the server: %s', (message) => {
  expect(isRoleError(message)).toBe(true)
})

test.each([
  "OOM command not allowed when used memory > 'maxmemory'.",
  inRedis6("OOM command not allowed when used memory > 'maxmemory'."),
  'WRONGTYPE Operation against a key holding the wrong kind of value, script: READONLYish',
  'MOVED 3999 127.0.0.1:6381',
  'Command timed out',
  '',
])('speaks of something else: %s', (message) => {
  expect(isRoleError(message)).toBe(false)
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
  expect(redisErrorCode(message)).toBe('redis_unavailable')
})
