import type { InstallationStamp } from '@clerk-mirror/events'
import { OPERATOR_MS, PROMPT_COMMAND_MS } from '../limits.js'
import { firstOf, type Partitions } from '../partitions.js'
import { openOperatorClient, openPromptClient, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'

/** The queue's installation mark. Every method throws QueueUnavailable when Redis does not answer. */
export type QueueInstallation = Disposable & {
  read: () => Promise<InstallationStamp | null>
  /**
   * Marks an unmarked queue, or raises the epoch of this id. Returns whether this call wrote, and the mark in force.
   */
  stamp: (stamp: InstallationStamp) => Promise<{ isWritten: boolean; stamp: InstallationStamp }>
  /** Overwrites the mark. */
  restamp: (stamp: InstallationStamp) => Promise<void>
  /** Resolves when the connection is ready. */
  connected: () => Promise<void>
  /** Whether a connection was made since the last call: it may lead to another server than the one before. */
  hasReconnected: () => boolean
  /** Whether the connection is ready now. */
  isConnected: () => boolean
}

/** KEYS: the mark. ARGV: id, epoch. 1 if this call wrote; the id and the epoch in force. */
const STAMP = `
local id = redis.call('HGET', KEYS[1], 'id')
local isBehind = id == ARGV[1] and tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) < tonumber(ARGV[2])
local written = 0
if not id or isBehind then
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'epoch', ARGV[2])
  written = 1
end
local stands = redis.call('HMGET', KEYS[1], 'id', 'epoch')
return {written, stands[1], stands[2]}
`

type Scripted = {
  clerkStamp: (key: string, id: string, epoch: number) => Promise<[number, string, string]>
}

function withStamp(client: RedisClient): RedisClient & Scripted {
  client.defineCommand('clerkStamp', { numberOfKeys: 1, lua: STAMP })
  return client as RedisClient & Scripted
}

/**
 * `worker`: connects in the background, and gives up a question after `PROMPT_COMMAND_MS`. `operator`: waits for a busy
 * Redis.
 */
export function openQueueInstallation(
  target: RedisTarget,
  partitions: Partitions,
  who: 'worker' | 'operator',
): QueueInstallation {
  const [open, waitMs] = who === 'worker' ? [openPromptClient, PROMPT_COMMAND_MS] : [openOperatorClient, OPERATOR_MS]
  const client = withStamp(open(target))
  client.on('error', () => {}) // each command reports its own, and the process has been told by its other connection
  let isNew = true
  client.on('ready', () => {
    isNew = true
  })
  const keyOf = () => firstOf(partitions).key('clerk-mirror:installation')
  const ask = <T>(question: Promise<T>): Promise<T> => asQueueUnavailable(withTimeout(waitMs, question))
  return {
    async read() {
      const [id, epoch] = await ask(client.hmget(keyOf(), 'id', 'epoch'))
      return id ? { id, epoch: Number(epoch) } : null
    },
    async stamp({ id, epoch }) {
      const [written, standingId, standingEpoch] = await ask(client.clerkStamp(keyOf(), id, epoch))
      return { isWritten: written === 1, stamp: { id: standingId, epoch: Number(standingEpoch) } }
    },
    restamp: async ({ id, epoch }) => void (await ask(client.hset(keyOf(), { id, epoch }))),
    hasReconnected() {
      const was = isNew
      isNew = false
      return was
    },
    connected: () =>
      client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => client.once('ready', () => resolve())),
    isConnected: () => client.status === 'ready',
    [Symbol.dispose]: () => client.disconnect(),
  }
}
