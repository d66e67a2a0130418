import { type WorkerPresence, workersAlive } from '../heartbeats/worker-heartbeat.js'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { type JobEvent, readJob } from '../job/read-job.js'
import { CLASSES_MS } from '../limits.js'
import { withGaugeScripts } from '../lua/gauge-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { connectOperator, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { type BlockedByCode, countBlocked } from './blocked.js'
import { DeadLetterCounter, type DeadLettersByClass } from './dead-letter-counter.js'
import { type LivingProcesses, readLivingProcesses } from './disagreements.js'
import { type QueueDepth, readQueueDepth } from './queue-depth.js'

/** An event in the queue, and its history there. Times in ms; null for steps that have not happened. */
export type QueuedEvent = JobEvent & {
  where: keyof QueueDepth
  queuedAtMs: number | null
  startedAtMs: number | null
  /** The due time of a retrying event. */
  dueAtMs: number | null
  failedAtMs: number | null
}

/** The state of the queue, for operators. All of it throws QueueUnavailable. */
export type QueueView = Disposable & {
  /** `oldestMs`: since the oldest event that waits or runs was queued, replayed or due for its retry; 0 without one. */
  depth: (of?: Partitions) => Promise<{ events: QueueDepth; oldestMs: number }>
  deadByClass: () => Promise<DeadLettersByClass>
  blockedByCode: () => Promise<BlockedByCode>
  workers: (of?: Partitions) => Promise<WorkerPresence[]>
  /** Workers and ingest processes, and the reactions that they request. */
  living: () => Promise<LivingProcesses>
  /** Null when the event is not in the queue. */
  find: (eventId: string, among?: Partitions) => Promise<QueuedEvent | null>
}

/** @throws QueueUnavailable when Redis cannot be reached. */
export async function openQueueView(
  target: RedisTarget,
  list: Partitions,
  keys: EnvelopeKeys = NO_KEYS,
): Promise<QueueView> {
  const client = withGaugeScripts(await connectOperator(target))
  let classes: { untilMs: number; counts: Promise<DeadLettersByClass> } | undefined
  return {
    depth: (of = list) => asQueueUnavailable(readQueueDepth(client, of)),
    async deadByClass() {
      const nowMs = performance.now()
      if (!classes || nowMs >= classes.untilMs) {
        const counts = asQueueUnavailable(countAll(new DeadLetterCounter(client, list)))
        classes = { untilMs: nowMs + CLASSES_MS, counts }
        counts.catch(() => {
          classes = undefined
        })
      }
      return classes.counts
    },
    blockedByCode: () => asQueueUnavailable(countBlocked(client, list)),
    workers: (of = list) => asQueueUnavailable(workersAlive(client, of)),
    living: () => asQueueUnavailable(readLivingProcesses(client, list)),
    async find(eventId, among = list) {
      for (const partition of among) {
        const event = await asQueueUnavailable(readEvent(client, partition, eventId, keys))
        if (event) return event
      }
      return null
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}

async function countAll(counter: DeadLetterCounter): Promise<DeadLettersByClass> {
  while (!counter.last) await counter.countNextPage()
  return counter.last
}

/** BullMQ keeps a delayed job's time with twelve bits below it that tell jobs of one millisecond apart. */
const DELAYED_STEPS = 0x1000

async function readEvent(
  client: RedisClient,
  { key }: Partition,
  id: string,
  keys: EnvelopeKeys,
): Promise<QueuedEvent | null> {
  const [job, failedAt, due, active] = await Promise.all([
    client.hgetall(key(id)),
    client.zscore(key('failed'), id),
    client.zscore(key('delayed'), id),
    client.lpos(key('active'), id),
  ])
  if (job['data'] === undefined) return null
  const where = failedAt !== null ? 'dead' : due !== null ? 'retrying' : active !== null ? 'active' : 'waiting'
  return {
    ...readJob(id, job, keys),
    where,
    queuedAtMs: timeOf(job['queuedAt']),
    startedAtMs: timeOf(job['processedOn']),
    dueAtMs: due === null ? null : Math.floor(Number(due) / DELAYED_STEPS),
    failedAtMs: timeOf(failedAt),
  }
}

const timeOf = (text: string | null | undefined) => (text ? Number(text) : null)
