import { REVOCATION_MS, SESSIONS_REVOKED_MAX } from '../limits.js'
import { firstOf, type Partitions } from '../partitions.js'
import { openOperatorClient, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'

/** A sign-in to the console. Time in ms. */
export type SessionId = { account: string; nonce: string; expiresAtMs: number }

/**
 * The sign-ins that were revoked before they expired, for every process of the console. Every method throws
 * QueueUnavailable.
 */
export type SessionRevocations = Disposable & {
  /** `lifetimeMs`: the longest life of a session of this account, for which the revocation is remembered. */
  revoke: (session: SessionId, lifetimeMs: number) => Promise<void>
  isRevoked: (session: SessionId) => Promise<boolean>
}

/** In place of a nonce: all sessions that expire no later than its score are revoked. */
const FLOOR = 'all-before'

/**
 * KEYS: the account's revoked sessions, by their expiry. ARGV: nonce, expiry, maximum number, ms to keep them. Beyond
 * the maximum, the two that expire first are replaced by a revocation of all sessions that expire no later: memory
 * stays bounded, and no revoked session becomes valid again.
 */
const REVOKE = `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 1, 'WITHSCORES')
  redis.call('ZREM', KEYS[1], first[1], first[3])
  redis.call('ZADD', KEYS[1], first[4], '${FLOOR}')
end
return redis.call('PEXPIRE', KEYS[1], ARGV[4])
`

/** KEYS as above. ARGV: nonce, expiry. */
const IS_REVOKED = `
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
local floor = redis.call('ZSCORE', KEYS[1], '${FLOOR}')
return floor and tonumber(ARGV[2]) <= tonumber(floor) and 1 or 0
`

type Scripted = {
  clerkRevoke: (key: string, nonce: string, expiry: number, most: number, keptMs: number) => Promise<number>
  clerkIsRevoked: (key: string, nonce: string, expiry: number) => Promise<number>
}

/** Connects in the background. */
export function openSessionRevocations(target: RedisTarget, partitions: Partitions): SessionRevocations {
  const client = openOperatorClient(target)
  client.on('error', () => {}) // every command reports its own
  client.defineCommand('clerkRevoke', { numberOfKeys: 1, lua: REVOKE })
  client.defineCommand('clerkIsRevoked', { numberOfKeys: 1, lua: IS_REVOKED })
  const scripted = client as RedisClient & Scripted
  const keyOf = ({ account }: SessionId) =>
    firstOf(partitions).key(`clerk-mirror:console-revoked:${Buffer.from(account).toString('base64url')}`)
  const ask = (work: Promise<number>) => asQueueUnavailable(withTimeout(REVOCATION_MS, work))
  return {
    async revoke(session, lifetimeMs) {
      const { nonce, expiresAtMs } = session
      await ask(scripted.clerkRevoke(keyOf(session), nonce, expiresAtMs, SESSIONS_REVOKED_MAX, lifetimeMs))
    },
    isRevoked: async (session) =>
      (await ask(scripted.clerkIsRevoked(keyOf(session), session.nonce, session.expiresAtMs))) === 1,
    [Symbol.dispose]: () => client.disconnect(),
  }
}
