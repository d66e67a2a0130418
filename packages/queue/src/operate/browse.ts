import { Job, Queue, type QueueOptions } from 'bullmq'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { envelopeOf } from '../job/queue-job.js'
import { BROWSE_BYTES_MAX, BROWSE_METRICS_MAX, BROWSE_ROWS_MAX, PROMPT_COMMAND_MS } from '../limits.js'
import { firstOf, type Partition, type Partitions } from '../partitions.js'
import { reactionPartitionsOf } from '../reactions/reaction-partitions.js'
import { openOperatorClient, type RedisClient } from '../redis/connection.js'
import { oneAtATime } from '../redis/one-at-a-time.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'

/** A read-only view of the queue for BullMQ tools, in which `redact` replaces each body. */
export type QueueBrowser = AsyncDisposable & {
  /** One queue for each partition of events and each reaction, as far as Redis answers. */
  queues: () => Promise<readonly Queue[]>
}

/** Returns the presentable part of an event's body, which holds personal data. */
export type Redact = (body: string) => unknown

type View = {
  redact: Redact
  keys: EnvelopeKeys
  client: RedisClient
  /** Shared by all queues. */
  oneByOne: ReturnType<typeof oneAtATime>
}

/**
 * The partitions of events and of reactions as BullMQ queues whose jobs show no bodies. Waits for an absent Redis.
 * Writes nothing, not even the queue's own settings; the caller must not call the mutating methods of these queues.
 */
export function openQueueBrowser(
  target: RedisTarget,
  list: Partitions,
  redact: Redact,
  keys: EnvelopeKeys = NO_KEYS,
): QueueBrowser {
  const client = openOperatorClient(target)
  client.on('error', () => {}) // every command reports its own
  const options = { connection: client, skipMetasUpdate: true, skipVersionCheck: true, skipWaitingForReady: true }
  const view: View = { redact, keys, client, oneByOne: oneAtATime() }
  const opened = new Map<string, Queue>()
  let reactions: ReadonlyMap<string, Partition> = new Map()
  const queueOf = ({ queue, prefix }: Partition) => {
    const known = opened.get(prefix) ?? new RedactedQueue(queue, view, { ...options, prefix })
    opened.set(prefix, known)
    return known
  }
  return {
    async queues() {
      reactions = await withTimeout(PROMPT_COMMAND_MS, reactionPartitionsOf(client, firstOf(list))).catch(
        () => reactions,
      )
      return [...list, ...reactions.values()].map(queueOf)
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...opened.values()].map((queue) => queue.close()))
      client.disconnect()
    },
  }
}

/** Shown instead of the data of jobs beyond the bytes of a page. */
const NOT_READ = 'not read: the jobs before it on this page are large'

/**
 * Returns redacted jobs, at most a page of them: tools pass on the limits of their own callers. Log lines, results and
 * schedules are not written by us and may hold anything: they are never returned.
 */
class RedactedQueue extends Queue {
  readonly #redact: Redact
  readonly #keys: EnvelopeKeys
  readonly #client: RedisClient
  readonly #oneByOne: ReturnType<typeof oneAtATime>

  constructor(name: string, { redact, keys, client, oneByOne }: View, options: QueueOptions) {
    super(name, options)
    this.#client = client
    this.#redact = redact
    this.#keys = keys
    this.#oneByOne = oneByOne
    this.on('error', () => {})
  }

  override getJob(id: string): Promise<Job | undefined> {
    return this.#oneByOne(async () => (await this.#read(id))?.job)
  }

  /** Replaces BullMQ's own, in which one script reads every job of the range with all its data. */
  override getJobs(...[types = [], start = 0, end = -1, asc]: Parameters<Queue['getJobs']>): Promise<Job[]> {
    const from = Math.max(0, start)
    const last = Math.min(end < 0 ? Number.POSITIVE_INFINITY : end, from + BROWSE_ROWS_MAX - 1)
    return this.#oneByOne(async () => {
      const jobs: Job[] = []
      let bytes = 0
      for (const id of await super.getRanges([types].flat(), from, last, asc)) {
        const read = bytes < BROWSE_BYTES_MAX ? await this.#read(id) : await this.#readHead(id)
        if (!read) continue
        bytes += read.bytes
        jobs.push(read.job)
      }
      return jobs
    })
  }

  override async getJobLogs(): Promise<{ logs: string[]; count: number }> {
    return { logs: [], count: 0 }
  }

  override async getJobSchedulers(): Promise<[]> {
    return []
  }

  override getMetrics(...[type, start = 0]: Parameters<Queue['getMetrics']>): ReturnType<Queue['getMetrics']> {
    return super.getMetrics(type, start, start + BROWSE_METRICS_MAX - 1)
  }

  async #read(id: string): Promise<{ job: Job; bytes: number } | null> {
    const job = await super.getJob(id)
    if (!job) return null
    const bytes = JSON.stringify([job.data, job.stacktrace, job.returnvalue]).length
    return { job: this.#redacted(job), bytes }
  }

  async #readHead(id: string): Promise<{ job: Job; bytes: 0 } | null> {
    const [name, timestamp, reason, tries, processedOn, finishedOn] = await this.#client.hmget(this.toKey(id), ...HEAD)
    if (!name) return null
    const job = new Job(this, name, { body: NOT_READ }, { timestamp: Number(timestamp ?? 0) }, id)
    job.attemptsMade = Number(tries ?? 0)
    if (reason) job.failedReason = reason
    if (processedOn) job.processedOn = Number(processedOn)
    if (finishedOn) job.finishedOn = Number(finishedOn)
    return { job, bytes: 0 }
  }

  /** Copies known fields only: a job may hold others. */
  #redacted(job: Job): Job {
    const envelope = envelopeOf(job.id ?? '', job.name, job.timestamp, job.data, this.#keys)
    const { objectId, instanceId, source, body = '' } = envelope ?? {}
    const shown = typeof body === 'string' ? this.#redact(body) : { encryptedWith: body.keyId }
    job.data = { objectId, instanceId, source, body: shown }
    const { attempts, backoff, delay, priority, timestamp } = job.opts
    job.opts = JSON.parse(JSON.stringify({ attempts, backoff, delay, priority, timestamp }))
    job.returnvalue = null
    job.progress = 0
    return job
  }
}

const HEAD = ['name', 'timestamp', 'failedReason', 'atm', 'processedOn', 'finishedOn']
