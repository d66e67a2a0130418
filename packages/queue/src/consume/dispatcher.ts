import { type Envelope, Failure } from '@clerk-mirror/events'
import { BATCH_BYTES_MAX, BATCH_WAIT_MS, BLOCKED_WAITING_MAX, CRASHES_MAX } from '../limits.js'
import { Breaker, type BreakerState } from './breaker.js'
import { type ConsumerProfile, EVENT_CONSUMER_PROFILE } from './consumer-profile.js'

/*
 * A delivery is in one of these states:
 *
 *   healthy      waits for a batch
 *   quarantined  its job is a stalled one: it was started before and never finished, and may have crashed its worker.
 *                Quarantined deliveries run alone, one at a time. This worker is entered into the job before the run, and
 *                removed when the run is over, whatever its result. So a worker that dies with such a delivery has died of
 *                it: healthy deliveries beside it are not blamed, and neither is one whose run ended in an outage
 *   blocked      its last try was blocked: it runs alone and beside the batches, so that no other waits for its lock
 *   running
 *   settled      done, failed, or released: the processor reports it to the queue
 *
 *   healthy | quarantined | blocked ─► running ─► settled
 *                   ▲                     │
 *                   └────── outage ───────┘   the breaker opens, and the delivery is held as it was before
 *
 * After each healthy batch a quarantined delivery has its turn, and after each of those a healthy batch: neither waits for
 * all of the other.
 *
 * An outage may be the fault of one event, if the database rejects it with an error that an outage has too. It is found
 * so: a batch that ended in an outage halves the size of the next, until one event fails alone. That one goes to the back
 * of its list, so that it is not the breaker's next probe. When it fails alone once more, others have succeeded meanwhile
 * and the canary passes, the database works for all but it: it is set aside as blocked. It uses no attempt, for nothing
 * here can tell whether the fault is its own or the database's, and an outage must never add up to a dead letter.
 */

/**
 * An event to handle. `attempt` counts from 1; `trace` is a W3C traceparent, if ingest started a trace. `isStalled`: it was
 * started before and never finished. `blockedBy`: the failure of its last try, if that was blocked.
 */
export type Delivery = {
  envelope: Envelope
  attempt: number
  trace?: string
  isStalled?: boolean
  blockedBy?: Failure
}

/** The result of one event. `notBeforeMs`: milliseconds that the next try waits at least. */
export type Disposition =
  | { kind: 'done' }
  | { kind: 'failed'; failure: Failure; notBeforeMs?: number }
  /** Not handled, for the process ends: another worker takes it, and no try is used. */
  | { kind: 'released' }

/** One disposition per delivery, in order. @throws Failure of class `outage` when none can be worked on. */
export type Handle = (batch: readonly Delivery[]) => Promise<Disposition[]>

/** The crash count of a stalled job: its workers that died while they ran it alone. */
export type CrashRecord = {
  crashes: () => Promise<number>
  /** Enters this worker, which is about to run the job alone. */
  begin: () => Promise<unknown>
  /** Removes this worker again: it has survived the run, whatever the result. */
  end: () => void
}

export type BatchDispatcherOptions = {
  handle: Handle
  probe: () => Promise<void>
  onBreaker: (state: BreakerState) => void
  profile?: Pick<ConsumerProfile, 'batchSize' | 'batchConcurrency'>
  clock?: () => number
  random?: () => number
}

type Entry = {
  delivery: Delivery
  /** Only for a stalled job. */
  record: CrashRecord | undefined
  settle: (disposition: Disposition) => void
  /** How many runs had succeeded when it failed alone with an outage; undefined while it has not. */
  failedAloneAfter: number | undefined
}

/**
 * Gathers the deliveries that BullMQ's processors push one by one into batches, keeps a few batches running, and holds all
 * deliveries while the breaker is open.
 */
export class BatchDispatcher {
  readonly #options: BatchDispatcherOptions
  readonly #breaker: Breaker
  readonly #profile: Pick<ConsumerProfile, 'batchSize' | 'batchConcurrency'>
  #healthy: Entry[] = []
  #quarantined: Entry[] = []
  #blocked: Entry[] = []
  #running = 0
  #isBlockedRunning = false
  #quarantinedIsNext = true
  #gathering: NodeJS.Timeout | undefined
  #closed = false
  #isReleased = false
  /** Pushed and not settled yet. */
  readonly #inFlight = new Set<Entry>()
  /** Runs in which an event was done. */
  #successes = 0
  /** Halved by each batch that ends in an outage, doubled by each that does not. */
  #batchMax: number
  /** The event that failed as the breaker's last probe. */
  #failedProbe: Entry | undefined

  constructor(options: BatchDispatcherOptions) {
    this.#options = options
    this.#profile = options.profile ?? EVENT_CONSUMER_PROFILE
    this.#batchMax = this.#profile.batchSize
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

  get inFlight(): number {
    return this.#inFlight.size
  }

  /**
   * Probes the database before the first event is taken, and returns whether it works: a worker that cannot work, because
   * of a wrong password, say, would keep events that others could handle. If the probe fails, the breaker opens.
   */
  async begin(): Promise<boolean> {
    try {
      await this.#options.probe()
    } catch (error) {
      if (!this.#closed && error instanceof Failure) this.#breaker.open(error)
    }
    return !this.#closed && this.#breaker.state.kind === 'closed'
  }

  /** Resolves when the event is handled or released. */
  push(delivery: Delivery, record?: CrashRecord): Promise<Disposition> {
    return new Promise((settle) => {
      const { blockedBy } = delivery
      if (this.#isReleased || (this.#closed && (blockedBy || this.#breaker.state.kind !== 'closed'))) {
        return settle({ kind: 'released' })
      }
      // In the queue it would only keep an in-flight slot that another event could use.
      if (blockedBy && !record && this.#blocked.length >= BLOCKED_WAITING_MAX) return settle(failed(blockedBy))
      const settleOnce = (disposition: Disposition) => {
        if (this.#inFlight.delete(entry)) settle(disposition)
      }
      const entry: Entry = { delivery, record, settle: settleOnce, failedAloneAfter: undefined }
      this.#inFlight.add(entry)
      this.#add(entry)
    })
  }

  /**
   * Finishes the events in flight; while the breaker is open none can be finished, and all are released. Blocked events are
   * released in either case: each may wait for a lock, one after the other.
   */
  close(): void {
    this.#closed = true
    if (this.#breaker.state.kind !== 'closed') this.#releaseAll()
    else release(this.#blocked)
    this.#breaker[Symbol.dispose]()
    this.#dispatch()
  }

  /**
   * Releases the events of running batches too, instead of waiting for them. A transaction that commits after all has
   * written the ledger, and the next worker finds a duplicate.
   */
  releaseRunning(): void {
    this.#isReleased = true
    for (const { record, settle } of [...this.#inFlight]) {
      record?.end()
      settle({ kind: 'released' })
    }
  }

  #add(entry: Entry): void {
    this.#listOf(entry).push(entry)
    const isReady = entry.record || entry.delivery.blockedBy || this.#healthy.length >= this.#profile.batchSize
    if (isReady) this.#dispatch()
    else this.#gathering ??= setTimeout(() => this.#dispatch(), BATCH_WAIT_MS)
  }

  #listOf({ record, delivery }: Entry): Entry[] {
    if (record) return this.#quarantined
    return delivery.blockedBy ? this.#blocked : this.#healthy
  }

  #releaseAll(): void {
    for (const list of [this.#healthy, this.#quarantined, this.#blocked]) release(list)
  }

  #dispatch(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    if (this.#breaker.state.kind === 'open') return
    if (this.#breaker.state.kind === 'half-open') {
      if (this.#running === 0 && !this.#isBlockedRunning) this.#runFirstAfterOutage()
      return
    }
    while (this.#running < this.#profile.batchConcurrency && this.#healthy.length > 0 && !this.#isQuarantinedTurn())
      this.#runBatch()
    if (this.#running === 0 && this.#quarantined.length > 0) void this.#runQuarantined()
    if (!this.#isBlockedRunning && this.#blocked.length > 0) void this.#runBlocked()
  }

  #isQuarantinedTurn(): boolean {
    return this.#quarantined.length > 0 && this.#quarantinedIsNext
  }

  /**
   * Runs one event instead of a batch: if the database still fails, little has been tried. Never the event that was tried
   * last: it stands at the back of its list. If there is no other, nothing can tell whether the fault is the event's or
   * the database's, and the event is set aside for the next one to show.
   */
  #runFirstAfterOutage(): void {
    const mayProbe = ([first]: readonly Entry[]) => first !== undefined && first !== this.#failedProbe
    if (mayProbe(this.#healthy)) return void this.#run(this.#healthy.splice(0, 1))
    if (mayProbe(this.#quarantined)) return void this.#runQuarantined()
    const { state } = this.#breaker
    if (state.kind !== 'half-open') return
    for (const list of [this.#healthy, this.#quarantined, this.#blocked]) {
      for (const entry of list.splice(0)) entry.settle(failed(entry.delivery.blockedBy ?? setAside(state.failure)))
    }
    this.#failedProbe = undefined
    this.#breaker.close() // no event is left to try the database with
  }

  #runBatch(): void {
    this.#quarantinedIsNext = true
    void this.#run(this.#healthy.splice(0, batchLength(this.#healthy, this.#batchMax)))
  }

  async #runQuarantined(): Promise<void> {
    this.#quarantinedIsNext = false
    const [stalled] = this.#quarantined.splice(0, 1)
    if (!stalled?.record) return
    const { record } = stalled
    this.#running += 1
    const crashes = await record.crashes().catch(() => 0)
    // A worker that dies in an outage may die of anything: a job with a crash count is not run in one.
    const outage = crashes > 0 && crashes < CRASHES_MAX ? await this.#outage() : null
    if (outage) this.#breaker.open(outage)
    if (this.#breaker.state.kind === 'open') this.#quarantined.unshift(stalled)
    else if (crashes >= CRASHES_MAX) stalled.settle(failed(crashLooping()))
    else {
      await record.begin().catch(() => {})
      this.#running -= 1
      return this.#run([stalled])
    }
    this.#running -= 1
    if (this.#closed && this.#breaker.state.kind !== 'closed') this.#releaseAll()
    this.#dispatch()
  }

  async #runBlocked(): Promise<void> {
    this.#isBlockedRunning = true
    const [blocked] = this.#blocked.splice(0, 1)
    // An event that was set aside has failed alone before.
    if (blocked) await this.#run([Object.assign(blocked, { failedAloneAfter: blocked.failedAloneAfter ?? -1 })], 0)
    this.#isBlockedRunning = false
    this.#dispatch()
  }

  /** `slots`: how many of `batchConcurrency` the run takes. */
  async #run(batch: Entry[], slots: 0 | 1 = 1): Promise<void> {
    this.#running += slots
    const isOver = () => batch[0]?.record?.end()
    try {
      const dispositions = await this.#options.handle(batch.map((entry) => entry.delivery)).finally(isOver)
      this.#succeed(batch.length, dispositions)
      batch.forEach((entry, index) => {
        entry.settle(dispositions[index] ?? unhandled())
      })
    } catch (error) {
      await this.#fail(batch, error)
    }
    this.#running -= slots
    this.#dispatch()
  }

  #succeed(length: number, dispositions: readonly Disposition[]): void {
    // An event that is rejected for its content may never have reached the database.
    if (!dispositions.some(({ kind }) => kind === 'done')) {
      if (this.#breaker.state.kind === 'half-open') this.#breaker.close()
      return
    }
    this.#successes += 1
    this.#failedProbe = undefined
    if (length >= this.#batchMax) this.#batchMax = Math.min(this.#profile.batchSize, 2 * this.#batchMax)
    this.#breaker.succeed()
  }

  async #fail(batch: Entry[], error: unknown): Promise<void> {
    if (error instanceof Failure && error.class === 'outage') {
      await this.#failByOutage(batch, error)
      if (this.#closed) this.#releaseAll()
      return
    }
    const failure =
      error instanceof Failure ? error : new Failure('unknown', 'handler_threw', 'the handler threw', error)
    for (const entry of batch) entry.settle(failed(failure))
  }

  async #failByOutage(batch: Entry[], failure: Failure): Promise<void> {
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

  /** The canary's failure; null when the database works. */
  async #outage(): Promise<Failure | null> {
    try {
      await this.#options.probe()
      return null
    } catch (error) {
      return error instanceof Failure ? error : null
    }
  }
}

function release(entries: Entry[]): void {
  for (const entry of entries.splice(0)) entry.settle({ kind: 'released' })
}

const failed = (failure: Failure): Disposition => ({ kind: 'failed', failure })

const crashLooping = () =>
  new Failure('killer', 'worker_killed', `ran alone ${CRASHES_MAX} times, and each time its worker crashed`)

const unhandled = (): Disposition =>
  failed(new Failure('unknown', 'handler_silent', 'the handler returned no disposition of this event'))

/** For an event that fails with an error of an outage while the database works for others: it waits by itself. */
const setAside = ({ code, message, cause }: Failure) =>
  new Failure('blocked', code, `${message}, for this event, while the canary passes`, cause)

/** The length of the next batch. An event that failed alone before runs alone again. */
function batchLength(entries: readonly Entry[], most: number): number {
  let bytes = 0
  let length = 0
  for (const { delivery, failedAloneAfter } of entries) {
    bytes += delivery.envelope.body.length
    const isAlone = failedAloneAfter !== undefined
    if (length === most || (length > 0 && (isAlone || bytes > BATCH_BYTES_MAX))) break
    length += 1
    if (isAlone) break
  }
  return length
}
