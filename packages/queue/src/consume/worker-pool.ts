import { REGISTRY_POLL_MS } from '../limits.js'
import type { Partition, Partitions } from '../partitions.js'
import type { PartitionWorker } from './partition-worker.js'

export type WorkerPoolOptions = {
  partitions: Partitions
  /** The worker takes at most `inFlight` events at once. */
  openWorker: (partition: Partition, inFlight: number) => PartitionWorker
  /** Events in flight, of all partitions together, as many as are right at present; and how long they are leased for. */
  inFlight: () => number
  leaseMs: () => number
}

/**
 * A worker for each partition, as partitions come and go; none takes events until `setRunning(true)`. They share this
 * process' in-flight limit in equal parts: so a partition with a backlog takes nothing from the others, and has less of
 * this process than if it were the only one.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  /** By their partitions' prefixes, as their numbers of events in flight are. */
  readonly #workers = new Map<string, PartitionWorker>()
  readonly #inFlight = new Map<string, number>()
  readonly #closing = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #isRunning = false

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#reconcile()
    this.#timer = setInterval(() => this.#reconcile(), REGISTRY_POLL_MS)
  }

  /** Whether the workers take events; events in flight are finished in either case. */
  setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning
    for (const worker of this.#workers.values()) {
      if (isRunning) worker.resume()
      else worker.pause()
    }
  }

  /** Counts an event of this partition as in flight while it is handled. */
  async countInFlight<T>({ prefix }: Partition, handle: () => Promise<T>): Promise<T> {
    const count = (by: number) => this.#inFlight.set(prefix, (this.#inFlight.get(prefix) ?? 0) + by)
    count(1)
    try {
      return await handle()
    } finally {
      count(-1)
    }
  }

  /** Whether this process would take one more event of this partition. */
  hasCapacity({ prefix }: Partition): boolean {
    const worker = this.#workers.get(prefix)
    return this.#isRunning && worker !== undefined && (this.#inFlight.get(prefix) ?? 0) < worker.concurrency
  }

  /** Whether some partition uses half of its in-flight limit, or more. */
  isSaturated(): boolean {
    return [...this.#workers].some(([prefix, { concurrency }]) => 2 * (this.#inFlight.get(prefix) ?? 0) >= concurrency)
  }

  /** Waits for the events in flight. `force`: Redis is gone, and nothing of them can be finished. */
  async close(force: boolean): Promise<void> {
    clearInterval(this.#timer)
    const ends = [...this.#workers.values()].map((worker) => worker.close(force))
    await Promise.all([...this.#closing, ...ends])
  }

  #reconcile(): void {
    const list = [...this.#options.partitions]
    const inFlight = Math.max(1, Math.floor(this.#options.inFlight() / list.length))
    const prefixes = new Set(list.map(({ prefix }) => prefix))
    for (const [prefix, worker] of this.#workers) {
      if (prefixes.has(prefix)) worker.adjust(inFlight, this.#options.leaseMs())
      else this.#retire(prefix, worker)
    }
    for (const partition of list) {
      if (this.#workers.has(partition.prefix)) continue
      const worker = this.#options.openWorker(partition, inFlight)
      if (this.#isRunning) worker.resume()
      this.#workers.set(partition.prefix, worker)
    }
  }

  /** The partition was empty, or it would not have been retired. */
  #retire(prefix: string, worker: PartitionWorker): void {
    this.#workers.delete(prefix)
    const closing = worker
      .close(false)
      .catch(() => {})
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}
