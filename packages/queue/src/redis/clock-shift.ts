import { CLOCK_ANSWER_MS } from '../limits.js'

/** Offset between the clock of this process and that of Redis, measured from answers. */
export class ClockShift {
  #ms: number | undefined

  /** Undefined until an answer was quick enough to measure. */
  get ms(): number | undefined {
    return this.#ms
  }

  /** Compares Redis' time in an answer with the local time half-way between request and answer. */
  async measure<T>(ask: () => Promise<T>, redisTimeOf: (answer: T) => number): Promise<T> {
    const [askedAtMs, sinceMs] = [Date.now(), performance.now()]
    const answer = await ask()
    const tookMs = performance.now() - sinceMs
    // A slow answer is imprecise, and a clock that was set meanwhile distorts it further.
    if (tookMs <= CLOCK_ANSWER_MS) this.#ms = Math.round(askedAtMs + tookMs / 2 - redisTimeOf(answer))
    return answer
  }
}
