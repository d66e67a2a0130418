import { FETCH_RETRY_MS, REDIS_ERROR_MS } from '../limits.js'
import { errorWord } from '../redis/error-word.js'

/** Of a direct command; from within a script, by Redis 7 and later; and by Redis 6 and 7.0. */
const MISSING_PERMISSION = /^NOPERM|ACL failure in script|user executing the script can't run/

/**
 * Error replies of Redis, such as to a command that the worker's account has no right to. BullMQ repeats such a command at
 * once, ten thousand times a second: the worker backs off instead, and each error is reported once while it recurs.
 */
export class RedisBackoff implements Disposable {
  readonly #onBackoffChange: () => void
  readonly #reported = new Set<string>()
  #last = { message: '', atMs: Number.NEGATIVE_INFINITY }
  #timer: NodeJS.Timeout | undefined

  constructor(onBackoffChange: () => void) {
    this.#onBackoffChange = onBackoffChange
  }

  /** Whether the worker should send no commands for now; `onBackoffChange` is called at each change. */
  get isBackingOff(): boolean {
    return this.#timer !== undefined
  }

  /** The account lacks a permission: neither this process nor the next one in its place can work. */
  get lacksPermission(): boolean {
    return this.#isActive() && MISSING_PERMISSION.test(this.#last.message)
  }

  /** For the health check; null without a recent error. */
  get cause(): string | null {
    if (!this.#isActive()) return null
    if (this.lacksPermission)
      return 'the account lacks a right in Redis: ACL LOG there, or queue.error in this log, names it'
    return `Redis refuses this worker’s commands: ${errorWord(this.#last.message)}`
  }

  /** Returns whether the error is new. */
  add(message: string): boolean {
    if (!this.#isActive()) this.#reported.clear()
    this.#last = { message, atMs: performance.now() }
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#onBackoffChange()
      }, FETCH_RETRY_MS)
      this.#onBackoffChange()
    }
    const isNew = !this.#reported.has(message)
    this.#reported.add(message)
    return isNew
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #isActive(): boolean {
    return performance.now() - this.#last.atMs < REDIS_ERROR_MS
  }
}
