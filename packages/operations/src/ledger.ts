import { setTimeout as pause } from 'node:timers/promises'
import type { Mirror } from '@clerk-mirror/mirror'
import { LEDGER_MS, LEDGER_RETRY_MS } from './limits.js'
import { OperationsError } from './operations-error.js'

/** The mirror as far as the operations need it, where it may be missing or away. */
export class Ledger {
  readonly #mirror: Mirror | null
  #away: { untilMs: number } | null = null

  constructor(mirror: Mirror | null) {
    this.#mirror = mirror
  }

  /** For operations that need the ledger. @throws OperationsError */
  get required(): Mirror {
    if (this.#mirror) return this.#mirror
    throw new OperationsError('database_required', 'This needs the database: its ledger, or its audit.')
  }

  /** False when the database is not named, or did not answer when it was asked last. */
  isAsked(): boolean {
    return this.#mirror !== null && this.#away === null
  }

  /**
   * For operations that are better with the ledger and good without: null while it is away. An operator that looks
   * because the database is down must not wait for it at every step.
   */
  async ask<T>(question: (mirror: Mirror) => Promise<T>): Promise<T | null> {
    try {
      const answer = await this.glance(question)
      if (answer !== null) this.#away = null
      return answer
    } catch {
      this.#away = { untilMs: performance.now() + LEDGER_RETRY_MS }
      return null
    }
  }

  /**
   * The same for a question that may take long by itself: no answer says nothing of the database then. @throws Error
   */
  async glance<T>(question: (mirror: Mirror) => Promise<T>): Promise<T | null> {
    if (!this.#mirror || (this.#away && performance.now() < this.#away.untilMs)) return null
    const answered = new AbortController()
    try {
      const silence = pause(LEDGER_MS, undefined, { signal: answered.signal }).then(() => {
        throw new Error('the database is silent')
      })
      return await Promise.race([question(this.#mirror), silence])
    } finally {
      answered.abort()
    }
  }
}
