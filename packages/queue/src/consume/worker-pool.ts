import { setTimeout as pause } from 'node:timers/promises'
import type { Worker } from 'bullmq'
import { CLOSE_IDLE_MS, CLOSE_LOOK_MS, REGISTRY_POLL_MS } from '../limits.js'
import type { Partition, Partitions } from '../partitions.js'

/** `handBack`: gives back what it took and will not begin. `isIdle`: whether it has no event. */
export type Hand = { worker: Worker; handBack: () => Promise<void>; isIdle: () => boolean }

export type CrewOptions = {
  partitions: Partitions
  /** Takes at most so many events at once. */
  workerOf: (partition: Partition, inFlight: number) => Hand
  /** Events in hand, of all partitions together, as many as are right at present; and how long they are leased for. */
  inFlight: () => number
  leaseMs: () => number
}

/**
 * A worker for each partition, as these come and go; none takes events until told to. They share what this process may
 * have in hand in equal parts: so a partition with a backlog takes nothing from the others, and has less of this
 * process than if it were alone.
 */
export class Crew {
  readonly #options: CrewOptions
  readonly #workers = new Map<string, Hand>()
  readonly #leaving = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  readonly #held = new Map<string, number>()
  #isTaking = false

  constructor(options: CrewOptions) {
    this.#options = options
    this.#serve()
    this.#timer = setInterval(() => this.#serve(), REGISTRY_POLL_MS)
  }

  /** Whether events are to be taken; those in hand stay there. */
  take(may: boolean): void {
    this.#isTaking = may
    for (const { worker } of this.#workers.values()) void (may ? worker.resume() : worker.pause(true))
  }

  /** Counts an event of this partition as in hand while it is handled. */
  async holding<T>({ prefix }: Partition, handle: () => Promise<T>): Promise<T> {
    const count = (by: number) => this.#held.set(prefix, (this.#held.get(prefix) ?? 0) + by)
    count(1)
    try {
      return await handle()
    } finally {
      count(-1)
    }
  }

  /** Whether one more event of this partition would be taken. */
  hasRoom({ prefix }: Partition): boolean {
    const worker = this.#workers.get(prefix)?.worker
    return this.#isTaking && worker !== undefined && (this.#held.get(prefix) ?? 0) < worker.concurrency
  }

  /** Whether half of what may be in hand of some partition is, or more. */
  isHalfFull(): boolean {
    return [...this.#workers].some(([prefix, { worker }]) => 2 * (this.#held.get(prefix) ?? 0) >= worker.concurrency)
  }

  /** Waits for what is in hand, unless Redis is gone and nothing of it can be finished. */
  async close(isAlone: boolean): Promise<void> {
    clearInterval(this.#timer)
    const ends = [...this.#workers.values()].map(async (hand) => {
      await untilClosed(hand, isAlone)
      // A question that was on its way when it closed was answered since.
      if (!isAlone) await hand.handBack()
    })
    await Promise.all([...this.#leaving, ...ends])
  }

  #serve(): void {
    const list = [...this.#options.partitions]
    const inFlight = Math.max(1, Math.floor(this.#options.inFlight() / list.length))
    const prefixes = new Set(list.map(({ prefix }) => prefix))
    for (const [prefix, hand] of this.#workers) {
      if (prefixes.has(prefix)) adjust(hand, inFlight, this.#options.leaseMs())
      else this.#dismiss(prefix, hand)
    }
    for (const partition of list) {
      if (this.#workers.has(partition.prefix)) continue
      const hand = this.#options.workerOf(partition, inFlight)
      if (this.#isTaking) void hand.worker.resume()
      this.#workers.set(partition.prefix, hand)
    }
  }

  /** It was empty, or it would not have been retired. */
  #dismiss(prefix: string, { worker, handBack }: Hand): void {
    this.#workers.delete(prefix)
    const leaving = worker
      .close()
      .then(handBack)
      .catch(() => {})
      .finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }
}

/**
 * BullMQ connects its blocking client before it closes it, for which a server that takes no more connections gives no
 * chance. A worker that has had no event for a while has nothing to lose, and is left behind.
 */
async function untilClosed({ worker, isIdle }: Hand, isAlone: boolean): Promise<void> {
  let isClosed = false
  const closed = worker.close(isAlone).finally(() => {
    isClosed = true
  })
  for (let idleMs = 0; !isClosed && idleMs < CLOSE_IDLE_MS; idleMs += CLOSE_LOOK_MS) {
    await Promise.race([closed, pause(CLOSE_LOOK_MS)])
    if (!isIdle()) idleMs = 0
  }
}

function adjust({ worker }: Hand, inFlight: number, leaseMs: number): void {
  worker.concurrency = inFlight
  // BullMQ's own scripts start an event with it; ours, and every renewal, ask for it anew.
  worker.opts.lockDuration = leaseMs
}
