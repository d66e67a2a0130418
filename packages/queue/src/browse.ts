import { type Job, Queue, type QueueOptions } from 'bullmq'
import { openOperatorClient } from './connection.js'
import { type EnvelopeKeys, NO_KEYS } from './envelope-keys.js'
import { firstOf, type Partition, type Partitions } from './partitions.js'
import { ACCEPT_MS } from './policy.js'
import { reactionPlacesOf } from './reaction-partitions.js'
import type { RedisTarget } from './redis-url.js'
import { envelopeOf } from './stored-job.js'
import { within } from './within.js'

/** What tools for BullMQ see of the queue: for looking only, and with what `redact` makes of each body. */
export type QueueBrowser = AsyncDisposable & {
  /** One for each partition of events and each reaction that there is now, as far as Redis tells. */
  queues: () => Promise<readonly Queue[]>
}

/** What may be seen of an event's body, which holds personal data. */
export type Redact = (body: string) => unknown

/**
 * The partitions, and the reactions', as BullMQ queues whose jobs show no bodies. Waits for a Redis that is away. Nothing is written, not
 * even the queue's own settings; that no verb of these queues is called is for the caller to see to.
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
  const opened = new Map<string, Queue>()
  let reactions: ReadonlyMap<string, Partition> = new Map()
  const queueOf = ({ queue, prefix }: Partition) => {
    const known = opened.get(prefix) ?? new RedactedQueue(queue, redact, keys, { ...options, prefix })
    opened.set(prefix, known)
    return known
  }
  return {
    async queues() {
      reactions = await within(ACCEPT_MS, reactionPlacesOf(client, firstOf(list))).catch(() => reactions)
      return [...list, ...reactions.values()].map(queueOf)
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...opened.values()].map((queue) => queue.close()))
      client.disconnect()
    },
  }
}

class RedactedQueue extends Queue {
  readonly #redact: Redact
  readonly #keys: EnvelopeKeys
  /** BullMQ may ask itself for each job of a list: a second look at a redacted one would find no event in it. */
  readonly #done = new WeakSet<Job>()

  constructor(name: string, redact: Redact, keys: EnvelopeKeys, options: QueueOptions) {
    super(name, options)
    this.#redact = redact
    this.#keys = keys
    this.on('error', () => {})
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id)
    return job && this.#redacted(job)
  }

  override async getJobs(...asked: Parameters<Queue['getJobs']>): Promise<Job[]> {
    const jobs: (Job | undefined)[] = await super.getJobs(...asked)
    return jobs.flatMap((job) => (job ? [this.#redacted(job)] : []))
  }

  /** Names what is kept: what else may lie in a job's data is not known. */
  #redacted(job: Job): Job {
    if (this.#done.has(job)) return job
    this.#done.add(job)
    const envelope = envelopeOf(job.id ?? '', job.name, job.timestamp, job.data, this.#keys)
    const { objectId, instanceId, source, body = '' } = envelope ?? {}
    const shown = typeof body === 'string' ? this.#redact(body) : { encryptedWith: body.keyId }
    job.data = { objectId, instanceId, source, body: shown }
    return job
  }
}
