import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { Random } from '../../../packages/devstack/src/random.js'
import type { DeadLetters } from './dead-letters.js'
import type { Sender } from './sender.js'
import type { Item, Stream } from './stream.js'

export type TrafficOptions = {
  stream: Stream
  sender: Sender
  deadLetters: DeadLetters
  random: Random
  perSecond: number
  /** The least number of events to send: an earlier try of this round may have sent them. */
  atLeast: number
  /** Told before the first of so many more is sent. */
  reserve: (taken: number) => void
}

const TICK_MS = 20
const RESERVED_AT_ONCE = 500
/** During an outage so many wait to be sent again; more would only be a wave of our own making. */
const OPEN_MAX = 2_000

/** The steady stream of a round. */
export class Traffic {
  readonly #options: TrafficOptions
  readonly #ended: Promise<void>
  #isEnding = false
  #taken = 0
  #asking: ((eventId: string) => void)[] = []
  /** Event ids that were sent with a foreign signature, and the answers that are no refusal. */
  readonly forged: string[] = []
  readonly forgedAnswers: number[] = []

  constructor(options: TrafficOptions) {
    this.#options = options
    this.#ended = this.#run()
  }

  get taken(): number {
    return this.#taken
  }

  nextEventId = (): Promise<string> => new Promise((resolve) => this.#asking.push(resolve))

  /** Sends nothing new; deliveries in progress go on. */
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#ended
  }

  async #run(): Promise<void> {
    const { perSecond, atLeast, sender } = this.#options
    const startedMs = performance.now()
    let skipped = 0
    while (!this.#isEnding || this.#taken < atLeast) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond) - skipped
      if (sender.open > OPEN_MAX) skipped += Math.max(0, due - this.#taken)
      else while (this.#taken < due) await this.#sendNext()
      await pause(TICK_MS)
    }
    for (const item of this.#options.stream.rest()) void this.#send(item)
  }

  async #sendNext(): Promise<void> {
    const { stream, reserve } = this.#options
    if (this.#taken % RESERVED_AT_ONCE === 0) reserve(this.#taken + RESERVED_AT_ONCE)
    this.#taken += 1
    const item = stream.next()
    if (item.kind === 'event') {
      for (const tell of this.#asking.splice(0, 1)) tell(item.event.eventId)
      await turn()
    }
    void this.#send(item)
  }

  async #send(item: Item): Promise<void> {
    const { sender, deadLetters, random } = this.#options
    if (item.kind === 'event') await sender.deliver(item.event)
    else if (item.kind === 'forged') {
      this.forged.push(item.event.eventId)
      const status = await sender.forge(item.event)
      // An ingest with a wrong clock takes every sender for a stranger, and limits the address.
      if (![401, 429, 0].includes(status)) this.forgedAnswers.push(status)
    } else {
      await pause(random.fraction() * TICK_MS)
      await deadLetters.see(item)
    }
  }
}
