import { setTimeout as pause } from 'node:timers/promises'
import { SAMPLE_MS, SAMPLES_KEPT } from './limits.js'
import type { OperationsDoor } from './operations-connection.js'

/** How the queue stood at a moment; null where Redis did not answer. */
export type Sample = { atMs: number; backlog: number | null; oldestMs: number | null }

/**
 * Values that no table keeps: backlog and age over the last hour, sampled every few seconds by the console itself.
 * Begins with the console, and is gone with it. Disposing stops it.
 */
export class Samples implements AsyncDisposable {
  readonly #operations: OperationsDoor
  readonly #clock: () => number
  readonly #stop = new AbortController()
  readonly #samples: Sample[] = []
  readonly #sampling: Promise<void>

  constructor(operations: OperationsDoor, clock: () => number) {
    this.#operations = operations
    this.#clock = clock
    this.#sampling = this.#sampleAgainAndAgain()
  }

  /** Oldest first. */
  lastHour(): readonly Sample[] {
    return this.#samples
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#sampling
  }

  async #sampleAgainAndAgain(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#samples.push(await this.#sample())
      if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift()
      await pause(SAMPLE_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  async #sample(): Promise<Sample> {
    const atMs = this.#clock()
    try {
      const { queue, oldestAgeS } = await this.#operations.ask((operations) => operations.status())
      return { atMs, backlog: queue.waiting + queue.active + queue.retrying, oldestMs: oldestAgeS * 1000 }
    } catch {
      return { atMs, backlog: null, oldestMs: null }
    }
  }
}
