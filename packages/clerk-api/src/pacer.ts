import { setTimeout as wait } from 'node:timers/promises'
import { RATE_SHARE_MIN } from './limits.js'

/** Spaces the requests of all callers evenly: no second sees more of them than the rate, also after a pause. */
export class Pacer {
  #intervalMs: number
  readonly #longestMs: number
  #nextAtMs = 0
  #slowedAtMs = Number.NEGATIVE_INFINITY

  constructor(requestsPerSecond: number) {
    this.#intervalMs = 1_000 / requestsPerSecond
    this.#longestMs = this.#intervalMs / RATE_SHARE_MIN
  }

  get requestsPerSecond(): number {
    return 1_000 / this.#intervalMs
  }

  /**
   * Resolves when the caller may send. Spaces sent requests and not planned ones: after a standstill of the process,
   * every planned time would be over at once. @throws the signal's reason
   */
  async turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      const nowMs = performance.now()
      if (nowMs >= this.#nextAtMs) {
        this.#nextAtMs = nowMs + this.#intervalMs
        return
      }
      await wait(this.#nextAtMs - nowMs, undefined, { signal })
    }
  }

  /** Halves the rate for good. A request that was sent before the last time tells nothing new. */
  halve(sentAtMs: number): void {
    if (sentAtMs < this.#slowedAtMs) return
    this.#slowedAtMs = performance.now()
    this.#intervalMs = Math.min(this.#intervalMs * 2, this.#longestMs)
    this.#nextAtMs = Math.max(this.#nextAtMs, performance.now() + this.#intervalMs)
  }
}
