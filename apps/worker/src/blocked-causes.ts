import { BLOCKED_LOG_MS, BLOCKED_NOTE_MS } from './limits.js'

/** What blocks events in this worker. Each of them is tried twice a minute: their causes are told, not their tries. */
export class BlockedCauses {
  readonly #clock: () => number
  readonly #causes = new Map<string, { message: string; loggedAtMs: number; lastAtMs: number }>()

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /** Returns whether the cause is to be logged: the first time, and again when it still goes on after an hour. */
  add(code: string, message: string): boolean {
    const nowMs = this.#clock()
    const loggedAtMs = this.#causes.get(code)?.loggedAtMs ?? Number.NEGATIVE_INFINITY
    const isNews = nowMs - loggedAtMs >= BLOCKED_LOG_MS
    this.#causes.set(code, { message, loggedAtMs: isNews ? nowMs : loggedAtMs, lastAtMs: nowMs })
    return isNews
  }

  /** In words, those that blocked an event at its last try; null when there are none. */
  note(): string | null {
    const sinceMs = this.#clock() - BLOCKED_NOTE_MS
    const recent = [...this.#causes].filter(([, { lastAtMs }]) => lastAtMs >= sinceMs)
    if (recent.length === 0) return null
    return `events are blocked: ${recent.map(([code, { message }]) => `${code}, ${message}`).join('; ')}`
  }
}
