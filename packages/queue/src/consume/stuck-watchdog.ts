import { setTimeout as pause } from 'node:timers/promises'
import { PROBE_TTL_MS, STUCK_CHECK_MS, STUCK_CHECKS } from '../limits.js'
import type { Partition, Partitions } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

/** This worker has capacity for an event that waits, and does not take it: only a new process helps. */
export class WorkerStuck extends Error {
  override readonly name = 'WorkerWedged'
  readonly code = 'worker_wedged'

  constructor() {
    const seconds = (STUCK_CHECK_MS * STUCK_CHECKS) / 1000
    super(`an event has waited for ${seconds} s, and this worker has capacity for it and does not take it`)
  }
}

/**
 * KEYS: wait, meta, active, probe. ARGV: ms that the probe lives. The next event; nil when there is none, or when the
 * queue is paused, is at its concurrency limit, or has a rate limit. The write fails where a worker could not take the
 * event either: in a Redis that is full, or a replica.
 */
const NEXT = `
redis.call('SET', KEYS[4], '1', 'PX', ARGV[1])
local state = redis.call('HMGET', KEYS[2], 'paused', 'concurrency', 'max')
if state[1] or state[3] or (state[2] and redis.call('LLEN', KEYS[3]) >= tonumber(state[2])) then return false end
return redis.call('LINDEX', KEYS[1], -1)
`

type Scripted = {
  clerkNext: (wait: string, meta: string, active: string, probe: string, milliseconds: number) => Promise<string | null>
}

export type StuckWorkerWatchdogOptions = {
  client: RedisClient
  partitions: Partitions
  /** Whether this worker would take another event of the partition, as far as it knows. */
  hasCapacity: (partition: Partition) => boolean
  onStuck: (error: WorkerStuck) => void
  /** Multiplies the checks: a starved worker may take longer for an event. */
  patience?: () => number
}

/**
 * Ends a worker that does not take an event although it has capacity: reports once when the same event was found at the
 * head of the queue in STUCK_CHECKS checks in a row. The known cause is a connection that died silently; BullMQ and the
 * client notice most of them sooner.
 *
 * Checks are counted and not seconds: after the process or Redis was frozen, the event has waited for long and nothing
 * was wrong. A check that fails, or is late, proves nothing: an unreachable Redis is an outage and passes by itself.
 */
export class StuckWorkerWatchdog implements Disposable {
  readonly #options: StuckWorkerWatchdogOptions
  readonly #client: RedisClient & Scripted
  readonly #stop = new AbortController()
  /** By a partition's prefix. */
  readonly #seen = new Map<string, { next: string; checks: number }>()

  constructor(options: StuckWorkerWatchdogOptions) {
    options.client.defineCommand('clerkNext', { numberOfKeys: 4, lua: NEXT })
    this.#client = options.client as RedisClient & Scripted
    this.#options = options
    void this.#watch()
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(STUCK_CHECK_MS, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      const stuck = await Promise.all([...this.#options.partitions].map((partition) => this.#isStuck(partition)))
      if (stuck.includes(true) && !signal.aborted) return this.#options.onStuck(new WorkerStuck())
    }
  }

  async #isStuck(partition: Partition): Promise<boolean> {
    const { hasCapacity, patience = () => 1 } = this.#options
    const sinceMs = performance.now()
    const next = hasCapacity(partition) ? await this.#nextIn(partition) : null
    const isLate = performance.now() - sinceMs > STUCK_CHECK_MS
    if (next === null || isLate || !hasCapacity(partition)) {
      this.#seen.delete(partition.prefix)
      return false
    }
    const before = this.#seen.get(partition.prefix)
    const checks = before?.next === next ? before.checks + 1 : 1
    this.#seen.set(partition.prefix, { next, checks })
    return checks >= STUCK_CHECKS * patience()
  }

  #nextIn({ key }: Partition): Promise<string | null> {
    const keys = [key('wait'), key('meta'), key('active'), key('clerk-mirror:probe')] as const
    return this.#client.clerkNext(...keys, PROBE_TTL_MS).catch(() => null)
  }
}
