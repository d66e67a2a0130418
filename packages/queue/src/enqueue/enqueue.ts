import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { type IncomingEvent, type QueueJob, queueJobOf } from '../job/queue-job.js'
import { MEMORY_CHECK_MS, PREVIOUS_PARTITION_MS, PROMPT_COMMAND_MS, SHED_ABOVE } from '../limits.js'
import { type EnqueueOutcome, type JobScripts, withJobScripts } from '../lua/job-scripts.js'
import { withPartitionScripts } from '../lua/partition-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { type ConnectionObserver, observe, openPromptClient, type RedisClient } from '../redis/connection.js'
import { inspectRedis, type RedisInspection } from '../redis/redis-inspection.js'
import { memoryShare } from '../redis/redis-memory.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'
import { EnqueueBatcher, enqueueMany } from './enqueue-batcher.js'
import { fixedPartitions, type PartitionRouter, registerProducer, type Spread, tokenIn } from './partition-router.js'
import { type RedisErrorCode, redisErrorCode } from './redis-errors.js'
import { NotReplicated, type Write, writerTo } from './replicas.js'

/**
 * After `accepted` the event is as durable as Redis is configured to make it. After `refused` it may be stored or not.
 */
export type EnqueueResult =
  | { kind: 'accepted'; how: EnqueueOutcome }
  | { kind: 'refused'; code: RedisErrorCode | 'redis_not_replicated'; cause: string }

export type Producer = Disposable & {
  /**
   * One round trip, shared with events that arrive at the same time. Answers within `PROMPT_COMMAND_MS`, also when
   * Redis does not; never throws. `trace`, a W3C traceparent, travels with the event.
   */
  enqueue: (envelope: IncomingEvent, trace?: string) => Promise<EnqueueResult>
  /** The memory of Redis is so full that events are refused until workers have made room. */
  isShedding: () => boolean
  /** The partitions that may hold events. */
  partitions: Partitions
  /** The abilities and settings of Redis. @throws when it does not answer. */
  inspect: () => Promise<RedisInspection>
}

/**
 * Opens a producer, which connects in the background: Redis may be absent, now and at any time. Events go to the given
 * partitions, or are spread over a number of them, which the registry knows of before the first event. With `replicas`,
 * an event is durable only once that many replicas have it.
 */
export function openProducer(
  target: RedisTarget,
  to: readonly Partition[] | Spread,
  observer: ConnectionObserver,
  keys: EnvelopeKeys = NO_KEYS,
  replicas = 0,
): Producer {
  const client = openPromptClient(target)
  observe(client, observer)
  const write = writerTo(client, replicas, (each) => withPartitionScripts(withJobScripts(each)))
  const router = 'count' in to ? registerProducer(client, to, write) : fixedPartitions(to)
  const store = enqueueInto(write, router, keys)
  const memory = watchMemory(client)
  return {
    async enqueue(envelope, trace) {
      if (memory.isScarce()) return { kind: 'refused', code: 'redis_full', cause: 'used memory is near its limit' }
      try {
        // The client's own time-out covers a command that was sent. This one also covers the time before, in which a
        // cluster client looks for its nodes. A late command may still succeed; the job id makes the next delivery a
        // duplicate.
        const how = await withTimeout(PROMPT_COMMAND_MS, store(envelope, trace))
        return { kind: 'accepted', how: how as EnqueueOutcome }
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error)
        const code = error instanceof NotReplicated ? 'redis_not_replicated' : redisErrorCode(cause)
        return { kind: 'refused', code, cause }
      }
    },
    isShedding: memory.isScarce,
    partitions: router.served,
    async inspect() {
      const [inspection] = await withTimeout(
        PROMPT_COMMAND_MS,
        Promise.all([inspectRedis(client, router.own), router.ready()]),
      )
      return inspection
    },
    [Symbol.dispose]() {
      memory.stop()
      router[Symbol.dispose]()
      client.disconnect()
    },
  }
}

/** Resolves with the outcome when a live job of the event exists. */
export function enqueueInto(write: Write<JobScripts>, router: PartitionRouter, envelopeKeys: EnvelopeKeys) {
  const batchers = new Map<string, EnqueueBatcher>()
  const batcherOf = (partition: Partition): EnqueueBatcher => {
    const known = batchers.get(partition.prefix) ?? new EnqueueBatcher(write, partition)
    batchers.set(partition.prefix, known)
    return known
  }
  /**
   * A previous partition that does not answer must not keep an event from its own: the ledger settles the dead letter
   * then.
   */
  const askPreviousPartition = (partition: Partition, job: QueueJob) =>
    withTimeout(PREVIOUS_PARTITION_MS, enqueueMany(write, partition, [job], '')).then(
      ([answer]) => answer ?? 'absent',
      () => 'absent',
    )

  return async (envelope: IncomingEvent, trace: string | undefined): Promise<string> => {
    const isReady = router.ready()
    if (isReady) await isReady
    const job = queueJobOf(envelope, envelopeKeys, trace)
    // First: a dead letter that is revived where it lies is not left behind as a second one of the same event.
    const previousPartitions = router.previousPartitionsFor(envelope)
    if (previousPartitions.length > 0) {
      // All at once: however many of them are silent, time for an answer within the promise is left.
      const answers = await Promise.all(previousPartitions.map((former) => askPreviousPartition(former, job)))
      const how = answers.find((answer) => answer !== 'absent')
      if (how !== undefined) return how
    }
    const home = router.partitionFor(envelope)
    for (;;) {
      const how = await batcherOf(home).add(job)
      const token = tokenIn(how)
      if (token === undefined) return how
      await router.reopen(home, token)
    }
  }
}

/** Checks the memory of Redis at intervals, not for each request. */
function watchMemory(client: RedisClient): { isScarce: () => boolean; stop: () => void } {
  let scarce = false
  const look = async () => {
    try {
      scarce = ((await memoryShare(client)) ?? 0) > SHED_ABOVE
    } catch {
      // Without an answer there is no reason to refuse: enqueueing fails by itself.
      scarce = false
    }
  }
  const timer = setInterval(look, MEMORY_CHECK_MS)
  return { isScarce: () => scarce, stop: () => clearInterval(timer) }
}
