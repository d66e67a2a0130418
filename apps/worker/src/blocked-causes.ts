import { BLOCKED_LOG_MS, BLOCKED_NOTE_MS } from './limits.js'

/**
 * The causes that block events in this worker. Blocked events are tried twice a minute: causes are logged, not tries.
 */
export class BlockedCauses {
  readonly #clock: () => number
  readonly #causes = new Map<string, { message: string; loggedAtMs: number; lastAtMs: number }>()

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /** Returns whether the cause is to be logged: the first time, and again when it still persists after an hour. */
  add(code: string, message: string): boolean {
    const nowMs = this.#clock()
    const loggedAtMs = this.#causes.get(code)?.loggedAtMs ?? Number.NEGATIVE_INFINITY
    const isNew = nowMs - loggedAtMs >= BLOCKED_LOG_MS
    this.#causes.set(code, { message, loggedAtMs: isNew ? nowMs : loggedAtMs, lastAtMs: nowMs })
    return isNew
  }

  /** A sentence with the causes that blocked an event at its last try; null when there are none. */
  note(): string | null {
    const sinceMs = this.#clock() - BLOCKED_NOTE_MS
    const recent = [...this.#causes].filter(([, { lastAtMs }]) => lastAtMs >= sinceMs)
    if (recent.length === 0) return null
    return `events are blocked: ${recent.map(([code, { message }]) => `${code}, ${message}`).join('; ')}`
  }
}
