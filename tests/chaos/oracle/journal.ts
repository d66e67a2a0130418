import type { LogLine } from '../../support/processes/processes.js'
import type { Totals } from '../totals.js'

/** The observations of one event. Times of performance.now(). */
type Seen = { acceptedAtMs?: number; acceptedBy?: string; decided: { by: string; atMs: number }[] }

/** The processes that must have accepted and decided an event; any where none is named. */
export type Part = { ingest?: string; worker?: string }

type Waiter = () => boolean

/** Everything that happens to events, as their sender and the processes' own logs tell it. */
export class Journal {
  readonly #totals: Totals
  readonly #seen = new Map<string, Seen>()
  readonly #waiters = new Set<Waiter>()
  /** Events with a try that failed for a reason other than contention, with the reason's code. */
  readonly attemptsSpent: { eventId: string; code: string }[] = []

  constructor(totals: Totals) {
    this.#totals = totals
  }

  accepted(eventId: string, ingest: string): void {
    this.#totals.accepted += 1
    const seen = this.#of(eventId)
    if (seen.acceptedAtMs !== undefined) return
    seen.acceptedAtMs = performance.now()
    seen.acceptedBy = ingest
  }

  /** A line of the log of a process. */
  read(name: string, line: LogLine): void {
    const eventId = String(line['eventId'])
    if (line.event === 'event.decided') {
      if (line['outcome'] === 'duplicate') this.#totals.decidedAgain += 1
      this.#of(eventId).decided.push({ by: name, atMs: performance.now() })
      for (const waiter of this.#waiters) if (waiter()) this.#waiters.delete(waiter)
    } else if (line.event === 'event.accepted') {
      if (line['how'] === 'duplicate') this.#totals.duplicates += 1
      if (line['how'] === 'revived') this.#totals.revived += 1
    } else if (line.event === 'event.retrying') {
      this.attemptsSpent.push({ eventId, code: String(line['code']) })
    } else if (line.event === 'breaker.opened') this.#totals.breakersOpened += 1
  }

  /** Events that were accepted between two moments. */
  acceptedBetween(fromMs: number, toMs: number): string[] {
    const isBetween = ([, { acceptedAtMs = 0 }]: [string, Seen]) => acceptedAtMs >= fromMs && acceptedAtMs < toMs
    return [...this.#seen].filter(isBetween).map(([eventId]) => eventId)
  }

  acceptedIds(): string[] {
    return this.acceptedBetween(1, Number.POSITIVE_INFINITY)
  }

  isDecided = (eventId: string): boolean => this.#of(eventId).decided.length > 0

  /**
   * Milliseconds from a moment until the first event that was accepted after it had been applied by this part of the
   * house; null when that did not happen in time.
   */
  async recovery(sinceMs: number, part: Part, patienceMs: number): Promise<number | null> {
    const find = () => this.#firstDecision(sinceMs, part)
    const found = find() ?? (await this.#wait(find, patienceMs))
    return found === null ? null : found - sinceMs
  }

  #firstDecision(sinceMs: number, { ingest, worker }: Part): number | null {
    let first: number | null = null
    for (const { acceptedAtMs = 0, acceptedBy, decided } of this.#seen.values()) {
      if (acceptedAtMs < sinceMs || (ingest !== undefined && acceptedBy !== ingest)) continue
      // Its decision may be read before its answer; one from before the fault's end was of an earlier delivery.
      const decision = decided.find(({ by, atMs }) => atMs >= sinceMs && (worker === undefined || by === worker))
      if (!decision) continue
      const doneAtMs = Math.max(decision.atMs, acceptedAtMs)
      if (first === null || doneAtMs < first) first = doneAtMs
    }
    return first
  }

  #wait(find: () => number | null, patienceMs: number): Promise<number | null> {
    return new Promise((resolve) => {
      const waiter = () => {
        const found = find()
        if (found === null) return false
        clearTimeout(late)
        resolve(found)
        return true
      }
      const late = setTimeout(() => {
        this.#waiters.delete(waiter)
        resolve(find())
      }, patienceMs)
      this.#waiters.add(waiter)
    })
  }

  /** Forgets the observations of a round that has passed its checks. */
  clear(): void {
    this.#seen.clear()
    this.attemptsSpent.length = 0
  }

  #of(eventId: string): Seen {
    const known = this.#seen.get(eventId)
    if (known) return known
    const seen: Seen = { decided: [] }
    this.#seen.set(eventId, seen)
    return seen
  }
}
