import { openSessionRevocations, parseRedisUrl, QueueUnavailable, type SessionId } from '@clerk-mirror/queue/operate'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { SESSIONS_REVOKED_MAX } from '../../../packages/queue/src/limits.js'
import { openTestQueue, type TestQueue } from '../../support/queue/queue.js'

const HOUR_MS = 3_600_000
const target = parseRedisUrl(inject('redisUrl'))
let queue: TestQueue
beforeAll(async () => {
  queue = await openTestQueue()
})
afterAll(() => queue[Symbol.asyncDispose]())

const session = (account: string, nonce: string, expiresAtMs = 1_000_000): SessionId => ({
  ...{ account, nonce, expiresAtMs },
})

test('a revoked session is so for every process, alone, and is forgotten when it would have ended', async () => {
  using one = openSessionRevocations(target, [queue.partition])
  using other = openSessionRevocations(target, [queue.partition])
  await one.revoke(session('ada', 'a'), HOUR_MS)
  expect(await other.isRevoked(session('ada', 'a'))).toBe(true)
  expect(await other.isRevoked(session('ada', 'b'))).toBe(false)
  expect(await other.isRevoked(session('bob', 'a'))).toBe(false)
  const [key = '', ...more] = await queue.redis.keys(queue.partition.key('clerk-mirror:console-revoked:*'))
  expect(more).toEqual([])
  const ttlMs = await queue.redis.pttl(key)
  expect(ttlMs).toBeGreaterThan(HOUR_MS / 2)
  expect(ttlMs).toBeLessThanOrEqual(HOUR_MS)
})

test('however often somebody signs out, memory stays bounded and no session comes back', async () => {
  using revocations = openSessionRevocations(target, [queue.partition])
  const ended = Array.from({ length: SESSIONS_REVOKED_MAX + 300 }, (_, index) => session('eve', `n${index}`, index))
  for (const each of ended) await revocations.revoke(each, HOUR_MS)
  const key = queue.partition.key(`clerk-mirror:console-revoked:${Buffer.from('eve').toString('base64url')}`)
  expect(await queue.redis.zcard(key)).toBe(SESSIONS_REVOKED_MAX)
  expect(await Promise.all(ended.map((each) => revocations.isRevoked(each)))).not.toContain(false)
  expect(await revocations.isRevoked(session('eve', 'later', ended.length))).toBe(false)
  expect(await revocations.isRevoked(session('bob', 'early', 0))).toBe(false)
})

test('a Redis that does not answer is said to be unavailable', async () => {
  const nowhere = { ...target, nodes: [{ host: '127.0.0.1', port: 1 }] }
  using revocations = openSessionRevocations(nowhere, [queue.partition])
  await expect(revocations.isRevoked(session('ada', 'a'))).rejects.toThrow(QueueUnavailable)
  await expect(revocations.revoke(session('ada', 'a'), HOUR_MS)).rejects.toThrow(QueueUnavailable)
})
