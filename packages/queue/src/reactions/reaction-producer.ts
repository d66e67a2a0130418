import { randomUUID } from 'node:crypto'
import type { Envelope } from '@clerk-mirror/events'
import { NO_KEYS } from '../job/encryption-keys.js'
import { queueJobOf, REACTION_JOB_OPTIONS } from '../job/queue-job.js'
import {
  PROMPT_COMMAND_MS,
  REACTION_LEASE_MS,
  REACTIONS_RETRYING_MAX,
  REACTIONS_WAITING_MAX,
  SHED_ABOVE,
  STREAM_LENGTH,
} from '../limits.js'
import { SCRIPT_KEYS, withJobScripts } from '../lua/job-scripts.js'
import type { Partition } from '../partitions.js'
import { openPromptClient } from '../redis/connection.js'
import { ProcessLease, withProcessLease } from '../redis/process-lease.js'
import { memoryShare } from '../redis/redis-memory.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'
import { rememberReactions } from './reaction-partitions.js'

/** The way of requested reactions into their queue. All of it throws when Redis does not answer. */
export type ReactionProducer = Disposable & {
  /**
   * Runs the work while this process holds the lease of the partition; false when another process holds it. After the
   * death of a process the others wait for at most REACTION_LEASE_MS; if it was only frozen, both enqueue, and job ids
   * make that harmless.
   */
  withLease: (partition: Partition, work: () => Promise<void>) => Promise<boolean>
  /** The number of jobs that wait in this partition, and how many more it may take. */
  room: (partition: Partition) => Promise<{ waiting: number; room: number }>
  /** Resolves when all of them are durable. An existing job stays as it is; a dead letter is revived. */
  enqueue: (partition: Partition, jobs: readonly Envelope[]) => Promise<void>
}

/** Connects in the background, and then records the names of the reactions for operators. */
export function openReactionProducer(
  target: RedisTarget,
  events: Partition,
  reactions: readonly string[],
): ReactionProducer {
  const client = withProcessLease(withJobScripts(openPromptClient(target)))
  client.on('error', () => {}) // each command reports its own, and the process has been told by its other connection
  client.on('ready', () => void rememberReactions(client, events, reactions).catch(() => {})) // and at the next start
  const holder = randomUUID()
  return {
    async withLease({ key }, work) {
      const lease = new ProcessLease(client, key('clerk-mirror:relay'), holder, REACTION_LEASE_MS)
      if (!(await lease.renew())) return false
      try {
        await work()
      } finally {
        await lease.release()
      }
      return true
    },
    async room({ key }) {
      const [waiting, retrying, share] = await withTimeout(
        PROMPT_COMMAND_MS,
        Promise.all([client.llen(key('wait')), client.zcard(key('delayed')), memoryShare(client)]),
      )
      // Where ingest refuses events, no other process may fill the rest.
      const isFull = (share ?? 0) > SHED_ABOVE || retrying >= REACTIONS_RETRYING_MAX
      return { waiting, room: isFull ? 0 : Math.max(0, REACTIONS_WAITING_MAX - waiting) }
    },
    async enqueue({ key }, jobs) {
      const stored = jobs.map((envelope) => queueJobOf(envelope, NO_KEYS))
      const keys = [...SCRIPT_KEYS, ...stored.map(({ id }) => id)].map(key)
      const args = stored.flatMap(({ id, name, data, timestampMs }) => [id, name, data, timestampMs])
      if (stored.length > 0)
        await client.clerkEnqueue(keys.length, ...keys, REACTION_JOB_OPTIONS, STREAM_LENGTH, ...args)
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}
