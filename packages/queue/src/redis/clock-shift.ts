import { CLOCK_ANSWER_MS } from '../limits.js'

/** How far the clock of this process is ahead of Redis', as far as answers show it. */
export class ClockShift {
  #ms: number | undefined

  /** Undefined until an answer came quickly enough to tell. */
  get ms(): number | undefined {
    return this.#ms
  }

  /** Compares the time that Redis gave in an answer with that of the middle between question and answer. */
  async measure<T>(ask: () => Promise<T>, redisTimeOf: (answer: T) => number): Promise<T> {
    const [askedAtMs, sinceMs] = [Date.now(), performance.now()]
    const answer = await ask()
    const tookMs = performance.now() - sinceMs
    // A slow answer says little, and a clock that was set meanwhile less.
    if (tookMs <= CLOCK_ANSWER_MS) this.#ms = Math.round(askedAtMs + tookMs / 2 - redisTimeOf(answer))
    return answer
  }
}
