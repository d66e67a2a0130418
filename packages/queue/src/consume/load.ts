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
 * How starved of processor time this process is, by the lateness of its timers, and the consequence for its work. A
 * process that renews its leases late needs longer ones, and one with turns of the event loop that take seconds should
 * take less into each: else its events return as stalled jobs before it has got to them, and nothing is ever finished.
 * One late timer says nothing: a process that was frozen for a while is not starved. Nor does the time of a batch:
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

  /** Milliseconds that an event is leased for: LEASE_MS, and up to LEASE_MAX_MS where renewals are late. */
  get leaseMs(): number {
    return Math.round(Math.min(LEASE_MAX_MS, Math.max(LEASE_MS, LEASE_LAGS * this.#lagMs())))
  }

  /** The part of a worker's permitted jobs in flight that this one should take. */
  get share(): number {
    return this.#share
  }

  /** Takes down how late a timer was. */
  add(lagMs: number): void {
    if (lagMs >= LAG_HIGH_MS) this.#share = Math.max(SHARE_MIN, this.#share / 2)
    else if (lagMs < LAG_LOW_MS) this.#share = Math.min(1, this.#share * 2)
    if (lagMs >= LAG_LOW_MS) this.#late.push({ atMs: this.#clock(), lagMs })
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  /** The longest that was seen a few times lately. */
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
