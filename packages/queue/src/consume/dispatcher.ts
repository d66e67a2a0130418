import { type Envelope, Failure } from '@clerk-mirror/events'
import { BATCH_BYTES_MAX, BATCH_WAIT_MS, BLOCKED_WAITING_MAX, STRIKES_MAX } from '../limits.js'
import { Breaker, type BreakerState } from './breaker.js'
import { EVENTS_PACE, type Pace } from './consumer-profile.js'

/**
 * An event to work on. `attempt` counts from 1; `trace` is a W3C traceparent, where ingest made a trace. A suspect was
 * started before and never finished. `blockedBy`: its last try was blocked, and by that.
 */
export type Delivery = {
  envelope: Envelope
  attempt: number
  trace?: string
  isSuspect?: boolean
  blockedBy?: Failure
}

/** What the handler made of one event. `notBeforeMs`: milliseconds that the next try waits at least. */
export type Disposition =
  | { kind: 'done' }
  | { kind: 'failed'; failure: Failure; notBeforeMs?: number }
  /** Not worked on, for the process ends: another worker has it, and no try is used. */
  | { kind: 'handed-back' }

/** One disposition per delivery, in order. @throws Failure of class `outage` when none can be worked on. */
export type Handle = (batch: readonly Delivery[]) => Promise<Disposition[]>

/** What a suspect's job says of the workers that ran it alone. */
export type CrashRecord = {
  /** Workers that died while they ran it alone. */
  crashes: () => Promise<number>
  /** Enters this worker, which is about to run it alone. */
  begin: () => Promise<unknown>
  /** Takes this worker out again: it has survived the run, whatever came of it. */
  end: () => void
}

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
  /** Absent unless the event is a suspect. */
  record: CrashRecord | undefined
  settle: (disposition: Disposition) => void
  /** How many runs had succeeded when it failed alone with an outage; undefined while it has not. */
  failedAloneAfter: number | undefined
}

/**
 * Where events wait in the worker. Processors hand theirs in one by one; the line makes batches of them, keeps a few in
 * flight, and holds everything while the breaker is open. An event is in one of these states:
 *
 * healthy waits for a batch
 * suspect was started before and never finished: it may have killed the worker that had it. Suspects run alone, one
 * at a time, each after this worker was entered into its job, and is taken out when the run is over,
 * whatever came of it. So a worker that dies with a suspect has died of it, the healthy events beside it are
 * not blamed, and neither is a suspect whose run ended in an outage
 * blocked its last try was blocked: it runs alone, in a lane of its own, so that no other event waits for its lock
 * running
 * settled done, failed, or handed back: the processor tells the queue
 *
 * healthy | suspect | blocked ─► running ─► settled
 * ▲ │
 * └───── outage ─────┘ the breaker opens, and the event is held as it was before
 * After each healthy round a suspect has its turn, and after each suspect a healthy round: neither waits for all of the
 * other.
 * An outage may be the fault of one event, which the database refuses in the words of an outage. It is found so: a
 * batch that ended in an outage leaves half of its size to the next, until one event fails alone. That one goes to the
 * back of its list, so that it is not the breaker's next probe. When it fails alone once more, others have succeeded
 * meanwhile and the canary passes, the database works for all but it: it is set aside as blocked. It uses no attempt,
 * for nothing here can tell whether the fault is its own or the database's, and an outage must never add up to a dead
 * letter.
 */
export class Line {
  readonly #options: LineOptions
  readonly #breaker: Breaker
  readonly #pace: Pick<Pace, 'batch' | 'lanes'>
  #healthy: Held[] = []
  #suspects: Held[] = []
  #blocked: Held[] = []
  #running = 0
  #isBlockedRunning = false
  #suspectIsNext = true
  #gathering: NodeJS.Timeout | undefined
  #closed = false
  #isReleased = false
  /** Events that were pushed and not settled yet. */
  readonly #held = new Set<Held>()
  /** Runs with an event that was worked on. */
  #successes = 0
  /** Halved by each batch that ends in an outage, doubled by each that does not. */
  #batchMax: number
  /** The event that failed as the breaker's last probe. */
  #failedProbe: Held | undefined

  constructor(options: LineOptions) {
    this.#options = options
    this.#pace = options.pace ?? EVENTS_PACE
    this.#batchMax = this.#pace.batch
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

  get inHand(): number {
    return this.#held.size
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
  push(delivery: Delivery, record?: CrashRecord): Promise<Disposition> {
    return new Promise((settle) => {
      const { blockedBy } = delivery
      if (this.#isReleased || (this.#closed && (blockedBy || this.#breaker.state.kind !== 'closed'))) {
        return settle({ kind: 'handed-back' })
      }
      // Waiting for its turn it would only keep a place that another event could have.
      if (blockedBy && !record && this.#blocked.length >= BLOCKED_WAITING_MAX) return settle(failed(blockedBy))
      const settleOnce = (disposition: Disposition) => {
        if (this.#held.delete(held)) settle(disposition)
      }
      const held: Held = { delivery, record, settle: settleOnce, failedAloneAfter: undefined }
      this.#held.add(held)
      this.#hold(held)
    })
  }

  /**
   * Finishes what can be finished; while the breaker is open, that is nothing, and everything held goes back. Blocked
   * events go back in any case: each may wait for a lock, one after the other.
   */
  close(): void {
    this.#closed = true
    if (this.#breaker.state.kind !== 'closed') this.#handBack()
    else handBack(this.#blocked)
    this.#breaker[Symbol.dispose]()
    this.#dispatch()
  }

  /**
   * Waits no longer for batches that run: their events are released too. A transaction that commits after all has
   * written the ledger, and the next worker finds a duplicate.
   */
  release(): void {
    this.#isReleased = true
    for (const { record, settle } of [...this.#held]) {
      record?.end()
      settle({ kind: 'handed-back' })
    }
  }

  #hold(held: Held): void {
    this.#listOf(held).push(held)
    const isReady = held.record || held.delivery.blockedBy || this.#healthy.length >= this.#pace.batch
    if (isReady) this.#dispatch()
    else this.#gathering ??= setTimeout(() => this.#dispatch(), BATCH_WAIT_MS)
  }

  #listOf({ record, delivery }: Held): Held[] {
    if (record) return this.#suspects
    return delivery.blockedBy ? this.#blocked : this.#healthy
  }

  #handBack(): void {
    for (const list of [this.#healthy, this.#suspects, this.#blocked]) handBack(list)
  }

  #dispatch(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    if (this.#breaker.state.kind === 'open') return
    if (this.#breaker.state.kind === 'half-open') {
      if (this.#running === 0 && !this.#isBlockedRunning) this.#runFirstAfterOutage()
      return
    }
    while (this.#running < this.#pace.lanes && this.#healthy.length > 0 && !this.#suspectsTurn()) this.#runBatch()
    if (this.#running === 0 && this.#suspects.length > 0) void this.#runSuspect()
    if (!this.#isBlockedRunning && this.#blocked.length > 0) void this.#runBlocked()
  }

  #suspectsTurn(): boolean {
    return this.#suspects.length > 0 && this.#suspectIsNext
  }

  /**
   * One event instead of a batch: if the database still fails, little has been tried. Never the one that was tried
   * last: it stands at the back of its list. Where there is no other, nothing can tell whether it is the event or the
   * database, and it is set aside for the next event to show.
   */
  #runFirstAfterOutage(): void {
    const mayProbe = ([first]: readonly Held[]) => first !== undefined && first !== this.#failedProbe
    if (mayProbe(this.#healthy)) return void this.#run(this.#healthy.splice(0, 1))
    if (mayProbe(this.#suspects)) return void this.#runSuspect()
    const { state } = this.#breaker
    if (state.kind !== 'half-open') return
    for (const list of [this.#healthy, this.#suspects, this.#blocked]) {
      for (const held of list.splice(0)) held.settle(failed(held.delivery.blockedBy ?? setAside(state.failure)))
    }
    this.#failedProbe = undefined
    this.#breaker.close() // nothing is held: there is nothing to try it with
  }

  #runBatch(): void {
    this.#suspectIsNext = true
    void this.#run(this.#healthy.splice(0, batchLength(this.#healthy, this.#batchMax)))
  }

  async #runSuspect(): Promise<void> {
    this.#suspectIsNext = false
    const [suspect] = this.#suspects.splice(0, 1)
    if (!suspect?.record) return
    const { record } = suspect
    this.#running += 1
    const crashes = await record.crashes().catch(() => 0)
    // A worker that dies in an outage may die of anything: an event that crashed others is not run in one.
    const outage = crashes > 0 && crashes < STRIKES_MAX ? await this.#outage() : null
    if (outage) this.#breaker.open(outage)
    if (this.#breaker.state.kind === 'open') this.#suspects.unshift(suspect)
    else if (crashes >= STRIKES_MAX) suspect.settle(failed(crashedWorkers()))
    else {
      await record.begin().catch(() => {})
      this.#running -= 1
      return this.#run([suspect])
    }
    this.#running -= 1
    if (this.#closed && this.#breaker.state.kind !== 'closed') this.#handBack()
    this.#dispatch()
  }

  async #runBlocked(): Promise<void> {
    this.#isBlockedRunning = true
    const [blocked] = this.#blocked.splice(0, 1)
    // One that was set aside has failed alone before.
    if (blocked) await this.#run([Object.assign(blocked, { failedAloneAfter: blocked.failedAloneAfter ?? -1 })], 0)
    this.#isBlockedRunning = false
    this.#dispatch()
  }

  /** `lanes`: how many of them the run takes. */
  async #run(batch: Held[], lanes: 0 | 1 = 1): Promise<void> {
    this.#running += lanes
    const isOver = () => batch[0]?.record?.end()
    try {
      const dispositions = await this.#options.handle(batch.map((held) => held.delivery)).finally(isOver)
      this.#succeed(batch.length, dispositions)
      batch.forEach((held, index) => {
        held.settle(dispositions[index] ?? unhandled())
      })
    } catch (error) {
      await this.#fail(batch, error)
    }
    this.#running -= lanes
    this.#dispatch()
  }

  #succeed(length: number, dispositions: readonly Disposition[]): void {
    // An event that is refused for its content may never have come to the database.
    if (!dispositions.some(({ kind }) => kind === 'done')) {
      if (this.#breaker.state.kind === 'half-open') this.#breaker.close()
      return
    }
    this.#successes += 1
    this.#failedProbe = undefined
    if (length >= this.#batchMax) this.#batchMax = Math.min(this.#pace.batch, 2 * this.#batchMax)
    this.#breaker.succeed()
  }

  async #fail(batch: Held[], error: unknown): Promise<void> {
    if (error instanceof Failure && error.class === 'outage') {
      await this.#failByOutage(batch, error)
      if (this.#closed) this.#handBack()
      return
    }
    const failure =
      error instanceof Failure ? error : new Failure('unknown', 'handler_threw', 'the handler threw', error)
    for (const held of batch) held.settle(failed(failure))
  }

  async #failByOutage(batch: Held[], failure: Failure): Promise<void> {
    const [first] = batch
    if (first && batch.length === 1) {
      const { failedAloneAfter = this.#successes } = first
      if (this.#successes > failedAloneAfter && (await this.#outage()) === null)
        return first.settle(failed(setAside(failure)))
      first.failedAloneAfter = this.#successes
      if (this.#breaker.state.kind === 'half-open') this.#failedProbe = first
      this.#listOf(first).push(first)
    } else {
      this.#batchMax = Math.max(1, Math.floor(batch.length / 2))
      this.#healthy.unshift(...batch)
    }
    this.#breaker.open(failure)
  }

  /** What the canary says; null when the database works. */
  async #outage(): Promise<Failure | null> {
    try {
      await this.#options.probe()
      return null
    } catch (error) {
      return error instanceof Failure ? error : null
    }
  }
}

function handBack(list: Held[]): void {
  for (const held of list.splice(0)) held.settle({ kind: 'handed-back' })
}

const failed = (failure: Failure): Disposition => ({ kind: 'failed', failure })

const crashedWorkers = () =>
  new Failure(
    'killer',
    'worker_killed',
    `started alone ${STRIKES_MAX} times and never finished: it ends the worker that has it`,
  )

const unhandled = (): Disposition =>
  failed(new Failure('unknown', 'handler_silent', 'the handler said nothing of this event'))

/** An event that failed in the words of an outage, and is to wait by itself. */
const setAside = ({ code, message, cause }: Failure) =>
  new Failure('blocked', code, `${message}, for this event, while the canary passes`, cause)

/** An event that failed alone before runs alone again. */
function batchLength(held: readonly Held[], most: number): number {
  let bytes = 0
  let length = 0
  for (const { delivery, failedAloneAfter } of held) {
    bytes += delivery.envelope.body.length
    const isAlone = failedAloneAfter !== undefined
    if (length === most || (length > 0 && (isAlone || bytes > BATCH_BYTES_MAX))) break
    length += 1
    if (isAlone) break
  }
  return length
}
