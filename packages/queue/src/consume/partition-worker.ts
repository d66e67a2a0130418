import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { CLOSE_CHECK_MS, CLOSE_IDLE_MS, FETCH_RETRY_MS, LEASE_CHECK_MS, LEASE_MS, STALLS_MAX } from '../limits.js'
import type { Partition } from '../partitions.js'
import { BatchedBackend } from './batched-backend.js'
import type { Load } from './load.js'
import { type JobContext, processJob } from './process-job.js'
import type { RedisBackoff } from './redis-backoff.js'
import type { RepeatedErrors } from './repeated-errors.js'
import { retryDelayStrategy } from './retry.js'

/** The parts of a consumer that its partition workers share. */
export type ConsumerContext = JobContext & {
  observer: {
    /** An error that the queue recovers from by itself, such as a lost lease. */
    workerFailed: (error: Error) => void
  }
  backoff: RedisBackoff
  repeatedErrors: RepeatedErrors
  load: Load
  /** Counts an event as in flight while it is handled. */
  countInFlight: <T>(partition: Partition, handle: () => Promise<T>) => Promise<T>
  random: () => number
}

type BatchedWorker = Worker<unknown, void, string, BatchedBackend>

/** A BullMQ Worker on one partition, with a backend that batches. It takes no events until it is resumed. */
export class PartitionWorker {
  readonly #worker: BatchedWorker

  /** Takes at most `inFlight` events at once. */
  constructor(partition: Partition, inFlight: number, context: ConsumerContext) {
    const { client, observer, backoff, repeatedErrors, load } = context
    const options = {
      connection: client,
      autorun: false,
      prefix: partition.prefix,
      concurrency: inFlight,
      lockDuration: LEASE_MS,
      stalledInterval: LEASE_CHECK_MS,
      maxStalledCount: STALLS_MAX,
      runRetryDelay: FETCH_RETRY_MS,
      removeOnComplete: { count: 0 },
      settings: { backoffStrategy: retryDelayStrategy(partition, context) },
    }
    const backend = BatchedBackend.factory({
      ...{ partition, client },
      inFlight: () => worker.concurrency,
      leaseMs: () => load.leaseMs,
      onLost: (jobs) => observer.workerFailed(new LeasesLost(jobs)),
    })
    const worker: BatchedWorker = new Worker(
      partition.queue,
      (job, token = '') =>
        worker.backend.track(job, token, () =>
          context.countInFlight(partition, () => processJob(job, token, partition, context)),
        ),
      options,
      backend,
    )
    this.#worker = worker
    worker.on('paused', () => void this.releasePrefetched())
    worker.on('closing', () => void this.releasePrefetched())
    worker.on('error', (error) => {
      // The connection reports its errors to its observer; BullMQ reports each of them again.
      if (client.status !== 'ready') return
      const isNew = error.name === 'ReplyError' ? backoff.add(error.message) : repeatedErrors.add(error.message)
      if (isNew) observer.workerFailed(error)
    })
  }

  get concurrency(): number {
    return this.#worker.concurrency
  }

  adjust(inFlight: number, leaseMs: number): void {
    this.#worker.concurrency = inFlight
    // BullMQ's own scripts start a job with it; ours, and every renewal, ask for it anew.
    this.#worker.opts.lockDuration = leaseMs
  }

  resume(): void {
    void this.#worker.resume()
  }

  /** Takes no further events; those in flight stay there. */
  pause(): void {
    void this.#worker.pause(true)
  }

  /** Releases jobs that were fetched and not requested. */
  releasePrefetched(): Promise<void> {
    return this.#worker.backend.releasePrefetched()
  }

  /** Waits for the events in flight. `force`: Redis is gone, and nothing of them can be finished. */
  async close(force: boolean): Promise<void> {
    await this.#untilClosed(this.#worker.close(force))
    // A fetch that was under way when the worker closed has been answered since.
    if (!force) await this.releasePrefetched()
  }

  /**
   * BullMQ connects its blocking client before it closes it, which a server that takes no more connections makes
   * impossible. A worker that has been idle for a while has nothing to lose, and is left behind.
   */
  async #untilClosed(closing: Promise<void>): Promise<void> {
    let isClosed = false
    const closed = closing.finally(() => {
      isClosed = true
    })
    for (let idleMs = 0; !isClosed && idleMs < CLOSE_IDLE_MS; idleMs += CLOSE_CHECK_MS) {
      await Promise.race([closed, pause(CLOSE_CHECK_MS)])
      if (!this.#worker.backend.isIdle) idleMs = 0
    }
  }
}

/** This process got too little processor time to renew them; it goes on, and none of it counts against the events. */
class LeasesLost extends Error {
  override readonly name = 'LeasesLost'

  constructor(events: number) {
    super(`lost the leases of ${events} events to other workers: this one was late to renew them`)
  }
}
