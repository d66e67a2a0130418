import { type Envelope, Failure } from '@clerk-mirror/events'
import { Breaker, type BreakerState } from './breaker.js'
import { EVENTS_PACE, type Pace } from './pace.js'
import { BATCH_BYTES_MAX, BATCH_WAIT_MS, STRIKES_MAX } from './policy.js'

/**
 * An event to work on. `attempt` counts from 1; `trace` is a W3C traceparent, where the door made a trace. A suspect was
 * started before and never finished.
 */
export type Delivery = { envelope: Envelope; attempt: number; trace?: string; isSuspect?: boolean }

/** What the handler made of one event. `notBeforeMs`: milliseconds that the next try waits at least. */
export type Disposition =
  | { kind: 'done' }
  | { kind: 'failed'; failure: Failure; notBeforeMs?: number }
  /** Not worked on, for the process ends: another worker has it, and no try is used. */
  | { kind: 'handed-back' }

/** One disposition per delivery, in order. @throws Failure of class `outage` when none can be worked on. */
export type Handle = (batch: readonly Delivery[]) => Promise<Disposition[]>

export type LineOptions = {
  handle: Handle
  probe: () => Promise<void>
  onBreaker: (state: BreakerState) => void
  pace?: Pick<Pace, 'batch' | 'lanes'>
  clock?: () => number
  random?: () => number
}

type Held = {
  delivery: Delivery
  /** Writes a strike into the job and returns how many it has; absent unless the event is a suspect. */
  strike: (() => Promise<number>) | undefined
  settle: (disposition: Disposition) => void
}

/**
 * Where events wait in the worker. Processors hand theirs in one by one; the line makes batches of them, keeps a few in
 * flight, and holds everything while the breaker is open.
 *
 * An event that was started before and never finished is a suspect: it may have killed the worker that had it. Suspects
 * run alone, one at a time, each after a strike was written into its job. So whoever dies with a suspect has died of
 * it, and the healthy events that were held beside it get no strike.
 *
 * After each healthy round a suspect has its turn, and after each suspect a healthy round: neither waits for all of the
 * other.
 */
export class Line {
  readonly #options: LineOptions
  readonly #breaker: Breaker
  readonly #pace: Pick<Pace, 'batch' | 'lanes'>
  #healthy: Held[] = []
  #suspects: Held[] = []
  #running = 0
  #inHand = 0
  #suspectIsNext = true
  #gathering: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: LineOptions) {
    this.#options = options
    this.#pace = options.pace ?? EVENTS_PACE
    this.#breaker = new Breaker({
      probe: options.probe,
      clock: options.clock ?? Date.now,
      random: options.random ?? Math.random,
      onChange: (state) => {
        options.onBreaker(state)
        this.#dispatch()
      },
    })
  }

  get breaker(): BreakerState {
    return this.#breaker.state
  }

  /** Events that were pushed and not settled yet. */
  get inHand(): number {
    return this.#inHand
  }

  /**
   * Whether the database works; asked before the first event is taken. A worker that cannot work, for a wrong password,
   * say, would keep what others could do. When it says no, the breaker is open.
   */
  async begin(): Promise<boolean> {
    try {
      await this.#options.probe()
    } catch (error) {
      if (!this.#closed && error instanceof Failure) this.#breaker.open(error)
    }
    return !this.#closed && this.#breaker.state.kind === 'closed'
  }

  /** Resolves when the event was worked on, or handed back. */
  push(delivery: Delivery, strike?: () => Promise<number>): Promise<Disposition> {
    return new Promise((settle) => {
      if (this.#closed && this.#breaker.state.kind !== 'closed') return settle({ kind: 'handed-back' })
      this.#inHand += 1
      const settled = (disposition: Disposition) => {
        this.#inHand -= 1
        settle(disposition)
      }
      const held: Held = { delivery, strike, settle: settled }
      if (strike) this.#suspects.push(held)
      else this.#healthy.push(held)
      if (strike || this.#healthy.length >= this.#pace.batch) this.#dispatch()
      else this.#gathering ??= setTimeout(() => this.#dispatch(), BATCH_WAIT_MS)
    })
  }

  /** Finishes what can be finished; while the breaker is open, that is nothing, and everything held goes back. */
  close(): void {
    this.#closed = true
    if (this.#breaker.state.kind !== 'closed') this.#handBack()
    this.#breaker[Symbol.dispose]()
    this.#dispatch()
  }

  #handBack(): void {
    for (const held of [...this.#healthy.splice(0), ...this.#suspects.splice(0)]) held.settle({ kind: 'handed-back' })
  }

  #dispatch(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    if (this.#breaker.state.kind === 'open') return
    if (this.#breaker.state.kind === 'half-open') {
      if (this.#running === 0) this.#runFirstAfterOutage()
      return
    }
    while (this.#running < this.#pace.lanes && this.#healthy.length > 0 && !this.#suspectsTurn()) this.#runBatch()
    if (this.#running === 0 && this.#suspects.length > 0) void this.#runSuspect()
  }

  #suspectsTurn(): boolean {
    return this.#suspects.length > 0 && this.#suspectIsNext
  }

  /** One event instead of a batch: if the database still fails, little has been tried. */
  #runFirstAfterOutage(): void {
    if (this.#healthy.length > 0) void this.#run(this.#healthy.splice(0, 1))
    else if (this.#suspects.length > 0) void this.#runSuspect()
    else this.#breaker.close() // nothing is held: there is nothing to try it with
  }

  #runBatch(): void {
    this.#suspectIsNext = true
    void this.#run(this.#healthy.splice(0, batchLength(this.#healthy, this.#pace.batch)))
  }

  async #runSuspect(): Promise<void> {
    this.#suspectIsNext = false
    const [suspect] = this.#suspects.splice(0, 1)
    if (!suspect?.strike) return
    this.#running += 1
    const strikes = await suspect.strike().catch(() => 0)
    this.#running -= 1
    if (strikes <= STRIKES_MAX) return this.#run([suspect])
    const message = `started alone ${STRIKES_MAX} times and never finished: it ends the worker that has it`
    suspect.settle({ kind: 'failed', failure: new Failure('killer', 'worker_killed', message) })
    this.#dispatch()
  }

  async #run(batch: Held[]): Promise<void> {
    this.#running += 1
    try {
      const dispositions = await this.#options.handle(batch.map((held) => held.delivery))
      batch.forEach((held, index) => {
        held.settle(dispositions[index] ?? unhandled())
      })
      // Only the one event that was sent first closes it: a batch that began before the outage says nothing.
      if (this.#breaker.state.kind === 'half-open') this.#breaker.close()
    } catch (error) {
      this.#fail(batch, error)
    }
    this.#running -= 1
    this.#dispatch()
  }

  #fail(batch: Held[], error: unknown): void {
    if (error instanceof Failure && error.class === 'outage') {
      for (const held of batch.reverse()) (held.strike ? this.#suspects : this.#healthy).unshift(held)
      this.#breaker.open(error)
      if (this.#closed) this.#handBack()
      return
    }
    const failure =
      error instanceof Failure ? error : new Failure('unknown', 'handler_threw', 'the handler threw', error)
    for (const held of batch) held.settle({ kind: 'failed', failure })
  }
}

const unhandled = (): Disposition => ({
  kind: 'failed',
  failure: new Failure('unknown', 'handler_silent', 'the handler said nothing of this event'),
})

function batchLength(held: readonly Held[], most: number): number {
  let bytes = 0
  let length = 0
  for (const { delivery } of held) {
    bytes += delivery.envelope.body.length
    if (length === most || (length > 0 && bytes > BATCH_BYTES_MAX)) break
    length += 1
  }
  return length
}
