import { ERROR_REPEATS_MS } from '../limits.js'

/**
 * Errors of the blocking connections while the main connection works. Each attempt to reconnect fails alike, for as long
 * as the outage lasts: an error is new when it was not seen for longer than two attempts take.
 */
export class RepeatedErrors {
  readonly #lastMs = new Map<string, number>()
  readonly #clock: () => number

  constructor(clock = () => performance.now()) {
    this.#clock = clock
  }

  /** Returns whether the error is new. */
  add(message: string): boolean {
    const nowMs = this.#clock()
    for (const [each, lastMs] of this.#lastMs) if (nowMs - lastMs > ERROR_REPEATS_MS) this.#lastMs.delete(each)
    const isNew = !this.#lastMs.has(message)
    this.#lastMs.set(message, nowMs)
    return isNew
  }
}
