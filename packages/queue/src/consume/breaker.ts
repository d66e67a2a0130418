import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import { PROBE_DELAYS_MS } from '../limits.js'

export type BreakerState =
  | { kind: 'closed' }
  | { kind: 'open'; sinceMs: number; failure: Failure }
  /** The probe passed: one event is tried before all others. */
  | { kind: 'half-open'; sinceMs: number; failure: Failure }

type Hooks = {
  /** Resolves when the database works. @throws Failure */
  probe: () => Promise<void>
  onChange: (state: BreakerState) => void
  clock: () => number
  random: () => number
}

/**
 * A circuit breaker: stops work while the database cannot take it.
 *
 *   closed ─ a failure of class outage ─► open ─ the probe passes ─► half-open ─ one event is handled ─► closed
 *                                          ▲                             │
 *                                          └─────────── an outage ───────┘
 *
 * It belongs to one process: the wrong password of one worker is no reason for the others to stop. Some faults let the
 * probe pass and fail every event, such as a full disk. So the pause before a probe goes on growing from one opening to
 * the next, and is short again only after an event was handled.
 */
export class Breaker {
  readonly #hooks: Hooks
  readonly #stop = new AbortController()
  #state: BreakerState = { kind: 'closed' }
  /** Since the last event that was handled. */
  #probes = 0

  constructor(hooks: Hooks) {
    this.#hooks = hooks
  }

  get state(): BreakerState {
    return this.#state
  }

  open(failure: Failure): void {
    // Another batch has opened it, and the probes are under way.
    if (this.#state.kind === 'open') return
    const sinceMs = this.#state.kind === 'closed' ? this.#hooks.clock() : this.#state.sinceMs
    this.#change({ kind: 'open', sinceMs, failure })
    void this.#probeUntilItPasses()
  }

  close(): void {
    this.#change({ kind: 'closed' })
  }

  /** An event was handled: the database works. While the breaker is open, that event began before the failure. */
  succeed(): void {
    if (this.#state.kind === 'open') return
    this.#probes = 0
    if (this.#state.kind === 'half-open') this.close()
  }

  /** Ends the probing. */
  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  async #probeUntilItPasses(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const longest = PROBE_DELAYS_MS[Math.min(this.#probes, PROBE_DELAYS_MS.length - 1)] ?? 0
      this.#probes += 1
      // Half of the pause is random, so that many workers do not probe in one wave.
      const delay = longest / 2 + (longest / 2) * this.#hooks.random()
      await pause(delay, undefined, { signal: this.#stop.signal }).catch(() => {})
      if (this.#stop.signal.aborted || this.#state.kind !== 'open') return
      const { sinceMs } = this.#state
      try {
        await this.#hooks.probe()
        return this.#change({ kind: 'half-open', sinceMs, failure: this.#state.failure })
      } catch (error) {
        if (error instanceof Failure) this.#state = { kind: 'open', sinceMs, failure: error }
      }
    }
  }

  #change(state: BreakerState): void {
    this.#state = state
    this.#hooks.onChange(state)
  }
}
