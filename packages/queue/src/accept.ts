import type { Envelope } from '@clerk-mirror/events'
import { type ConnectionObserver, observe, openPromptClient, type RedisClient } from './connection.js'
import { type EnvelopeKeys, NO_KEYS } from './envelope-keys.js'
import { inspectRedis, type RedisInspection } from './inspect.js'
import { memoryShare } from './memory.js'
import { type Partition, partitionFor } from './partitions.js'
import { ACCEPT_MS, MEMORY_CHECK_MS, SHED_ABOVE, STREAM_LENGTH } from './policy.js'
import { type RedisRefusal, redisRefusal } from './redis-refusals.js'
import type { RedisTarget } from './redis-url.js'
import { SCRIPT_KEYS, withScripts } from './scripts.js'
import { JOB_OPTIONS, jobOf } from './stored-job.js'
import { within } from './within.js'

/** After `accepted` the event is durable, as far as Redis is told to be. After `refused` it may be stored or not. */
export type Acceptance =
  | { kind: 'accepted'; how: 'added' | 'revived' | 'duplicate' }
  | { kind: 'refused'; code: RedisRefusal; cause: string }

export type Door = Disposable & {
  /**
   * One round trip. Answers within `ACCEPT_MS`, whatever becomes of Redis; never throws. `trace`, a W3C traceparent,
   * travels with the event.
   */
  accept: (envelope: Envelope, trace?: string) => Promise<Acceptance>
  /** Redis' memory is so full that no event is taken until workers have made room. */
  isShedding: () => boolean
  /** What Redis is able and configured to do. @throws when it does not answer. */
  inspect: () => Promise<RedisInspection>
}

/** Opens the producers' side. Connects in the background: Redis may be absent, now and at any time. */
export function openDoor(
  target: RedisTarget,
  list: readonly Partition[],
  observer: ConnectionObserver,
  keys: EnvelopeKeys = NO_KEYS,
): Door {
  const client = openPromptClient(target)
  observe(client, observer)
  const scripted = withScripts(client)
  const memory = watchMemory(client)
  return {
    async accept(envelope, trace) {
      if (memory.isScarce()) return { kind: 'refused', code: 'redis_full', cause: 'used memory is near its limit' }
      const { key } = partitionFor(envelope.objectId, list)
      const { id, name, data, timestampMs } = jobOf(envelope, keys, trace)
      const queueKeys = [...SCRIPT_KEYS.map(key), key(id)]
      try {
        const added = scripted.clerkAccept(...queueKeys, id, STREAM_LENGTH, name, data, JOB_OPTIONS, timestampMs)
        // The client's own time-out covers a command that was sent. This one also covers what lies before: a cluster that
        // looks for its nodes. A command that is late may still succeed; the job id makes the next delivery a duplicate.
        return { kind: 'accepted', how: (await within(ACCEPT_MS, added)) as 'added' }
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error)
        return { kind: 'refused', code: redisRefusal(cause), cause }
      }
    },
    isShedding: memory.isScarce,
    inspect: () => within(ACCEPT_MS, inspectRedis(client, list)),
    [Symbol.dispose]() {
      memory.stop()
      client.disconnect()
    },
  }
}

/** Looks at Redis' memory now and then, and not per request. */
function watchMemory(client: RedisClient): { isScarce: () => boolean; stop: () => void } {
  let scarce = false
  const look = async () => {
    try {
      scarce = ((await memoryShare(client)) ?? 0) > SHED_ABOVE
    } catch {
      // A Redis that does not answer refuses events by itself.
      scarce = false
    }
  }
  const timer = setInterval(look, MEMORY_CHECK_MS)
  return { isScarce: () => scarce, stop: () => clearInterval(timer) }
}
