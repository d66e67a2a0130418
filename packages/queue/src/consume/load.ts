import {
  LAG_HIGH_MS,
  LAG_LOW_MS,
  LAG_SAMPLE_MS,
  LAG_SAMPLES,
  LAG_WINDOW_MS,
  LEASE_LAGS,
  LEASE_MAX_MS,
  LEASE_MS,
  SHARE_MIN,
} from '../limits.js'

/**
 * Measures by its timers' lag how starved of processor time this process is, and derives its leases and its share of work.
 * A process that renews its leases late needs longer ones, and one whose turns of the event loop take seconds should take
 * fewer events into each: else its events come back as stalled jobs before it has begun them, and none is ever finished.
 *
 * One late timer proves nothing: a process that was frozen for a while is not starved. Nor does the duration of a batch:
 * while it waits for the database, its leases are renewed.
 */
export class Load implements Disposable {
  readonly #clock: () => number
  readonly #late: { atMs: number; lagMs: number }[] = []
  #timer: NodeJS.Timeout | undefined
  #share = 1

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
    this.#measure()
  }

  /** Milliseconds of an event's lease: LEASE_MS, and up to LEASE_MAX_MS where renewals are late. */
  get leaseMs(): number {
    return Math.round(Math.min(LEASE_MAX_MS, Math.max(LEASE_MS, LEASE_LAGS * this.#lagMs())))
  }

  /** The share of a worker's in-flight limit that this one should use. */
  get share(): number {
    return this.#share
  }

  /** Records the lag of a timer. */
  add(lagMs: number): void {
    if (lagMs >= LAG_HIGH_MS) this.#share = Math.max(SHARE_MIN, this.#share / 2)
    else if (lagMs < LAG_LOW_MS) this.#share = Math.min(1, this.#share * 2)
    if (lagMs >= LAG_LOW_MS) this.#late.push({ atMs: this.#clock(), lagMs })
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  /** The longest lag that was exceeded a few times lately. */
  #lagMs(): number {
    const sinceMs = this.#clock() - LAG_WINDOW_MS
    while ((this.#late[0]?.atMs ?? Number.POSITIVE_INFINITY) < sinceMs) this.#late.shift()
    const lags = this.#late.map(({ lagMs }) => lagMs).sort((one, other) => other - one)
    return lags[LAG_SAMPLES - 1] ?? 0
  }

  #measure(): void {
    const dueMs = this.#clock() + LAG_SAMPLE_MS
    this.#timer = setTimeout(() => {
      this.add(this.#clock() - dueMs)
      this.#measure()
    }, LAG_SAMPLE_MS)
    this.#timer.unref()
  }
}
