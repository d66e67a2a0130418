import { FETCH_RETRY_MS, REFUSAL_MS } from '../limits.js'
import { errorWord } from '../redis/error-word.js'

/** By direct command; from within a script, of Redis 7 and later; and of Redis 6 and 7.0. */
const MISSING_RIGHT = /^NOPERM|ACL failure in script|user executing the script can't run/

/**
 * What Redis refuses a worker that it answers, such as a command that its account has no right to. BullMQ asks again at
 * once, ten thousand times a second: the worker rests instead, and each refusal is told once for as long as it goes on.
 */
export class Refusals implements Disposable {
  readonly #onRest: () => void
  readonly #told = new Set<string>()
  #last = { message: '', atMs: Number.NEGATIVE_INFINITY }
  #rest: NodeJS.Timeout | undefined

  constructor(onRest: () => void) {
    this.#onRest = onRest
  }

  /** Whether the worker should leave Redis in peace for now; `onRest` tells of each change. */
  get rests(): boolean {
    return this.#rest !== undefined
  }

  /** A right is missing: nothing that the process could do, or the next one in its place, would help. */
  get lacksRight(): boolean {
    return this.#goesOn() && MISSING_RIGHT.test(this.#last.message)
  }

  /** In words for whoever asks how the worker is; null when nothing is refused. */
  get cause(): string | null {
    if (!this.#goesOn()) return null
    if (this.lacksRight)
      return 'the account lacks a right in Redis: ACL LOG there, or queue.error in this log, names it'
    return `Redis refuses this worker’s commands: ${errorWord(this.#last.message)}`
  }

  /** Returns whether it is news. */
  add(message: string): boolean {
    if (!this.#goesOn()) this.#told.clear()
    this.#last = { message, atMs: performance.now() }
    if (this.#rest === undefined) {
      this.#rest = setTimeout(() => {
        this.#rest = undefined
        this.#onRest()
      }, FETCH_RETRY_MS)
      this.#onRest()
    }
    const isNews = !this.#told.has(message)
    this.#told.add(message)
    return isNews
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#rest)
  }

  #goesOn(): boolean {
    return performance.now() - this.#last.atMs < REFUSAL_MS
  }
}
