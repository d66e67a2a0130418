import { type BackendFactory, createRedisBackend, type Job, RedisQueueBackend, raw2NextJobData } from 'bullmq'
import { PREFETCH_HOLD_MS, SCRIPT_JOBS_MAX, STREAM_LENGTH } from '../limits.js'
import { BATCH_KEYS, type BatchScripts, withBatchScripts } from '../lua/batch-scripts.js'
import type { LeaseScripts } from '../lua/lease-scripts.js'
import type { Partition } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

type Completion = {
  args: [id: string, token: string, fetchNext: 0 | 1]
  resolve: (reply: unknown) => void
  reject: (error: unknown) => void
}
/** A script's reply for one start: a job's fields and id, or that none waits. */
type Prefetched = { token: string; reply: unknown }
type NextJob = ReturnType<typeof raw2NextJobData>

/** BullMQ's worker numbers its lock tokens consecutively: a worker id, a colon, a number. */
const TOKEN = /^(.+:)(\d+)$/

export type BatchedBackendOptions = {
  partition: Partition
  client: RedisClient & LeaseScripts
  /** How many jobs the worker may have in flight at present, and for how many ms each is leased. */
  inFlight: () => number
  leaseMs: () => number
  /** Jobs went to another worker, for this one renewed their leases too late. */
  onLost: (jobs: number) => void
}

/**
 * A RedisQueueBackend that completes and starts jobs in batches. A stock BullMQ Worker sends one script for each job; this
 * one, installed by the worker's `backendFactory`, batches them:
 *
 * - Jobs completed in the same turn of the event loop, which are those of one batch, are completed by one script, which
 *   also starts the next jobs.
 * - A worker's request for one job prefetches all that it will request next, locked with the tokens that it will use.
 *   Jobs fetched but never requested are released.
 * - Leases are renewed together, before each check for stalled jobs, and an expired lease that no worker has noticed is
 *   taken again. BullMQ gives such a job up, and a process that was frozen would be the first to take it for stalled.
 *
 * tests/unit/queue/bullmq-signatures.test.ts fails when a BullMQ release changes a signature that this class overrides
 * or calls.
 */
export class BatchedBackend extends RedisQueueBackend {
  readonly #options: BatchedBackendOptions
  readonly #scripts: LeaseScripts & BatchScripts
  readonly #scriptKeys: readonly string[]
  #completions: Completion[] = []
  #prefetched: Prefetched[] = []
  #holdTimer: NodeJS.Timeout | undefined
  #prefetching: Promise<void> = Promise.resolve()
  /** The process may end only after it: the jobs are leased, and in no list of this object any more. */
  #releasing: Promise<void> = Promise.resolve()
  #lastNumber = -1
  /** Jobs that the worker was given and has not begun. */
  readonly #given = new Set<unknown>()
  /** Lock tokens of the jobs that it is processing, by job id. */
  readonly #leased = new Map<string, string>()
  #processing = 0
  #finishing = 0

  /** For the `backendFactory` of a Worker. */
  static factory(batching: BatchedBackendOptions): BackendFactory<BatchedBackend> {
    return (name, options, connections) => new BatchedBackend(batching, name, options, connections)
  }

  /** Takes over the connections of the backend that BullMQ would use, which knows how to open them. */
  constructor(batching: BatchedBackendOptions, ...[name, options, connections]: Parameters<BackendFactory>) {
    const opened = createRedisBackend(name, options, connections)
    // It forwards the errors of its connections, and an error event without a listener would end the process.
    opened.on('error', () => {})
    super(opened.connection, name, opened.keys, (type) => opened.toKey(type), options, opened.blockingConnection)
    this.#options = batching
    this.#scripts = withBatchScripts(batching.client)
    this.#scriptKeys = BATCH_KEYS.map(batching.partition.key)
  }

  override moveToCompleted(
    ...args: Parameters<RedisQueueBackend['moveToCompleted']>
  ): ReturnType<RedisQueueBackend['moveToCompleted']> {
    const [{ id, parentKey, opts }, value, removeOnComplete, token, fetchNext] = args
    // Our jobs are no part of a flow and have no deduplication key; a job that is or has was not enqueued by us.
    const isOrdinary = value === undefined && removeOnComplete === undefined && !parentKey && !opts.deduplication
    return this.#whileFinishing(async () => {
      if (!isOrdinary || id === undefined) return super.moveToCompleted(...args)
      const finishedOn = Date.now()
      return { result: this.#nextJob(id, await this.#complete(id, token, fetchNext)), finishedOn }
    })
  }

  override moveToFailed(
    ...args: Parameters<RedisQueueBackend['moveToFailed']>
  ): ReturnType<RedisQueueBackend['moveToFailed']> {
    return this.#whileFinishing(() => super.moveToFailed(...args))
  }

  override async moveToActive(token: string, name?: string): Promise<NextJob> {
    const reply = await this.#requested(token)
    return reply === undefined ? super.moveToActive(token, name) : this.#nextJob('', this.#give(reply))
  }

  override async moveStalledJobsToWait(): Promise<string[]> {
    await this.#renew([...this.#leased])
    return super.moveStalledJobsToWait()
  }

  override async extendLocks(ids: string[], tokens: string[], _ms: number): Promise<string[]> {
    await this.#renew(ids.map((id, index) => [id, tokens[index] ?? '']))
    return [] // `onLost` reported them; BullMQ would report each by itself
  }

  /** Runs the worker's processor on a job, which is leased and counted meanwhile. */
  async track<T>({ id = '' }: Job, token: string, process: () => Promise<T>): Promise<T> {
    this.#given.delete(id)
    this.#processing += 1
    this.#leased.set(id, token)
    try {
      return await process()
    } finally {
      this.#processing -= 1
      if (this.#leased.get(id) === token) this.#leased.delete(id)
    }
  }

  /** Whether the worker has no job, and Redis knows the result of each that it had. */
  get isIdle(): boolean {
    return this.#prefetched.length + this.#given.size + this.#processing + this.#finishing === 0
  }

  /** Releases jobs that were fetched and not requested, as if they had never been fetched. Waits for a release under way. */
  releasePrefetched(): Promise<void> {
    this.#releasing = this.#releasing.then(() => this.#releaseNow())
    return this.#releasing
  }

  async #releaseNow(): Promise<void> {
    // Jobs on their way from Redis are leased to this worker as well.
    await this.#prefetching
    clearTimeout(this.#holdTimer)
    const { key } = this.#options.partition
    for (const { token, reply } of this.#prefetched.splice(0)) {
      const id = jobIdIn(reply)
      if (id === undefined) continue
      // Should this fail, the lease expires.
      await this.#scripts.clerkStarts(key(id), token, startsIn(reply) - 1, 0).catch(() => {})
      await this.moveJobFromActiveToWait(id, token).catch(() => {})
    }
  }

  async #whileFinishing<T>(work: () => Promise<T>): Promise<T> {
    this.#finishing += 1
    try {
      return await work()
    } finally {
      this.#finishing -= 1
    }
  }

  /** A script's reply as BullMQ gives it to its worker. */
  #nextJob(jobId: string, reply: unknown): NextJob {
    if (typeof reply !== 'number') return raw2NextJobData(reply as unknown[])
    if (reply >= 0) return []
    throw this.finishedErrors({ code: reply, jobId, command: 'moveToFinished', state: 'active' })
  }

  #give(reply: unknown): unknown {
    const id = jobIdIn(reply)
    if (id !== undefined) this.#given.add(id)
    return reply
  }

  /** A script's reply for the job that this token is for; undefined when BullMQ's own script has to be sent. */
  async #requested(token: string): Promise<unknown> {
    const [, workerId, digits] = TOKEN.exec(token) ?? []
    const number = Number(digits)
    // A worker that released a job requests another with the same token.
    if (workerId === undefined || number <= this.#lastNumber) return undefined
    this.#lastNumber = number
    if (this.#prefetched.length === 0) {
      const prefetching = this.#prefetch(workerId, number)
      this.#prefetching = prefetching.catch(() => {})
      await prefetching
    }
    if (this.#prefetched[0]?.token !== token) return undefined
    const { reply } = this.#prefetched.shift() ?? {}
    if (this.#prefetched.length === 0) clearTimeout(this.#holdTimer)
    return reply
  }

  async #prefetch(workerId: string, number: number): Promise<void> {
    const capacity = this.#options.inFlight() - this.#given.size - this.#processing - this.#finishing
    const count = Math.max(1, Math.min(SCRIPT_JOBS_MAX, capacity))
    const replies = await this.#scripts.clerkStart(...this.#scriptKeys, ...this.#commonArgs(), count, workerId, number)
    this.#prefetched = replies.map((reply, index) => ({ token: `${workerId}${number + index}`, reply }))
    if (replies.length > 1) this.#holdTimer = setTimeout(() => void this.releasePrefetched(), PREFETCH_HOLD_MS)
  }

  #commonArgs(): (string | number)[] {
    const { partition, leaseMs } = this.#options
    return [partition.key(''), Date.now(), leaseMs(), STREAM_LENGTH]
  }

  async #renew(leases: readonly (readonly [id: string, token: string])[]): Promise<void> {
    if (leases.length === 0) return
    const { partition, leaseMs, onLost } = this.#options
    const { key } = partition
    const args = [key('active'), key('stalled'), key(''), leaseMs()] as const
    const lost = await this.#scripts.clerkRenew(...args, ...leases.flat())
    if (lost.length > 0) onLost(lost.length)
  }

  #complete(id: string, token: string, fetchNext: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#completions.push({ args: [id, token, fetchNext ? 1 : 0], resolve, reject })
      // The jobs of a batch are settled one after the other, and all of them before the next tick.
      if (this.#completions.length === 1) process.nextTick(() => void this.#completeAll())
    })
  }

  async #completeAll(): Promise<void> {
    const all = this.#completions.splice(0)
    // One script in each turn of the event loop, so that other commands of this process get in between.
    while (all.length > 0) {
      void this.#completeMany(all.splice(0, SCRIPT_JOBS_MAX))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #completeMany(completions: readonly Completion[]): Promise<void> {
    const args = completions.flatMap(({ args }) => args)
    try {
      const replies = await this.#scripts.clerkFinish(...this.#scriptKeys, ...this.#commonArgs(), ...args)
      for (const [index, { resolve }] of completions.entries()) resolve(this.#give(replies[index]))
    } catch (error) {
      for (const { reject } of completions) reject(error)
    }
  }
}

/** The id of the job that was started; undefined where none was. */
const jobIdIn = (reply: unknown): string | undefined =>
  Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : undefined

/** How often it was started, this time included: its fields stand one after the other, each before its value. */
function startsIn(reply: unknown): number {
  const fields: unknown = Array.isArray(reply) ? reply[0] : null
  const at = Array.isArray(fields) ? fields.indexOf('ats') : -1
  return at === -1 ? 1 : Number((fields as unknown[])[at + 1])
}
