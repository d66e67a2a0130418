import { setTimeout as pause } from 'node:timers/promises'
import type { DeadLetterCause } from '@clerk-mirror/operations'
import { singleFlight } from '@clerk-mirror/runtime'
import { CAUSES_FRESH_MS, CAUSES_WAIT_MS, COUNT_MS } from './limits.js'
import type { OperationsDoor } from './operations-connection.js'

/**
 * The causes of all dead letters for the overview: one count serves every open page, and none waits long for it. With
 * many dead letters what is shown may be some seconds old.
 */
export class CauseCount {
  readonly #operations: OperationsDoor
  readonly #clock: () => number
  #last: readonly DeadLetterCause[] | null = null
  #countedAtMs = Number.NEGATIVE_INFINITY

  constructor(operations: OperationsDoor, clock: () => number) {
    this.#operations = operations
    this.#clock = clock
  }

  /** Null before the first count is through. */
  async latest(): Promise<readonly DeadLetterCause[] | null> {
    if (this.#clock() - this.#countedAtMs > CAUSES_FRESH_MS) {
      await Promise.race([this.#countOnce(), pause(CAUSES_WAIT_MS, undefined, { ref: false })])
    }
    return this.#last
  }

  readonly #countOnce = singleFlight(() => this.#count())

  async #count(): Promise<void> {
    try {
      const { causes } = await this.#operations.ask(({ deadLetters }) => deadLetters.causes({ all: true }), COUNT_MS)
      this.#last = causes
      this.#countedAtMs = this.#clock()
    } catch {
      // The overview's other queries report the failure.
      this.#last = null
    }
  }
}
