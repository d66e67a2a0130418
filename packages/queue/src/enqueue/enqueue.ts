import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { type IncomingEvent, type QueueJob, queueJobOf } from '../job/stored-job.js'
import { FORMER_HOME_MS, MEMORY_CHECK_MS, PROMPT_COMMAND_MS, SHED_ABOVE } from '../limits.js'
import { type EnqueueOutcome, type JobScripts, withJobScripts } from '../lua/job-scripts.js'
import { withRegisterScripts } from '../lua/partition-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { type ConnectionObserver, observe, openPromptClient, type RedisClient } from '../redis/connection.js'
import { inspectRedis, type RedisInspection } from '../redis/redis-inspection.js'
import { memoryShare } from '../redis/redis-memory.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { within } from '../redis/timeout.js'
import { EnqueueBatcher, enqueueMany } from './enqueue-batcher.js'
import { enrol, fixedPlacement, type Placement, type Spread, tokenIn } from './placement.js'
import { type RedisRefusal, redisRefusal } from './redis-errors.js'
import { NotReplicated, type Write, writerTo } from './replicas.js'

/** After `accepted` the event is durable, as far as Redis is told to be. After `refused` it may be stored or not. */
export type EnqueueResult =
  | { kind: 'accepted'; how: EnqueueOutcome }
  | { kind: 'refused'; code: RedisRefusal | 'redis_not_replicated'; cause: string }

export type Producer = Disposable & {
  /**
   * One round trip, together with what arrives at the same time. Answers within `PROMPT_COMMAND_MS`, whatever becomes of Redis;
   * never throws. `trace`, a W3C traceparent, travels with the event.
   */
  enqueue: (envelope: IncomingEvent, trace?: string) => Promise<EnqueueResult>
  /** Redis' memory is so full that no event is taken until workers have made room. */
  isShedding: () => boolean
  /** Those that may hold events. */
  partitions: Partitions
  /** What Redis is able and configured to do. @throws when it does not answer. */
  inspect: () => Promise<RedisInspection>
}

/**
 * Opens the producers' side. Connects in the background: Redis may be absent, now and at any time. Events go to the
 * partitions that are given, or are spread over so many, which the register knows of before the first event. An event is
 * durable once it is on so many replicas too.
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
  const write = writerTo(client, replicas, (each) => withRegisterScripts(withJobScripts(each)))
  const placement = 'count' in to ? enrol(client, to, write) : fixedPlacement(to)
  const store = enqueueInto(write, placement, keys)
  const memory = watchMemory(client)
  return {
    async enqueue(envelope, trace) {
      if (memory.isScarce()) return { kind: 'refused', code: 'redis_full', cause: 'used memory is near its limit' }
      try {
        // The client's own time-out covers a command that was sent. This one also covers what lies before: a cluster that
        // looks for its nodes. A command that is late may still succeed; the job id makes the next delivery a duplicate.
        return { kind: 'accepted', how: (await within(PROMPT_COMMAND_MS, store(envelope, trace))) as EnqueueOutcome }
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error)
        const code = error instanceof NotReplicated ? 'redis_not_replicated' : redisRefusal(cause)
        return { kind: 'refused', code, cause }
      }
    },
    isShedding: memory.isScarce,
    partitions: placement.served,
    async inspect() {
      const [inspection] = await within(
        PROMPT_COMMAND_MS,
        Promise.all([inspectRedis(client, placement.own), placement.ready()]),
      )
      return inspection
    },
    [Symbol.dispose]() {
      memory.stop()
      placement[Symbol.dispose]()
      client.disconnect()
    },
  }
}

/** Resolves when there is a live job of the event, with how it came there. */
export function enqueueInto(write: Write<JobScripts>, placement: Placement, envelopeKeys: EnvelopeKeys) {
  const arrivals = new Map<string, EnqueueBatcher>()
  const arrivalsAt = (home: Partition): EnqueueBatcher => {
    const known = arrivals.get(home.prefix) ?? new EnqueueBatcher(write, home)
    arrivals.set(home.prefix, known)
    return known
  }
  /** A former home that does not answer must not keep an event from its home: then the ledger settles the dead letter. */
  const askFormerHome = (partition: Partition, job: QueueJob) =>
    within(FORMER_HOME_MS, enqueueMany(write, partition, [job], '')).then(
      ([answer]) => answer ?? 'absent',
      () => 'absent',
    )

  return async (envelope: IncomingEvent, trace: string | undefined): Promise<string> => {
    const isReady = placement.ready()
    if (isReady) await isReady
    const job = queueJobOf(envelope, envelopeKeys, trace)
    // First: revived where it lies, the dead letter is not left behind as a second one of the same event.
    const formerHomes = placement.formerHomesOf(envelope)
    if (formerHomes.length > 0) {
      // All at once: however many of them are silent, an answer within the promised time is left.
      const answers = await Promise.all(formerHomes.map((former) => askFormerHome(former, job)))
      const how = answers.find((answer) => answer !== 'absent')
      if (how !== undefined) return how
    }
    const home = placement.homeOf(envelope)
    for (;;) {
      const how = await arrivalsAt(home).add(job)
      const token = tokenIn(how)
      if (token === undefined) return how
      await placement.reopen(home, token)
    }
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
