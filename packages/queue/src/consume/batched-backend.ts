import { type BackendFactory, createRedisBackend, type Job, type RedisQueueBackend } from 'bullmq'
import { START_HOLD_MS, STREAM_LENGTH, TOGETHER_MAX } from '../limits.js'
import { BATCH_KEYS, type BatchScripts, withBatchScripts } from '../lua/batch-scripts.js'
import type { LeaseScripts } from '../lua/lease-scripts.js'
import type { Partition } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

type Process = (job: Job, token?: string) => Promise<void>
type Finish = {
  args: [id: string, token: string, fetchNext: 0 | 1]
  settle: (answer: unknown) => void
  fail: (error: unknown) => void
}
/** What a script said of one start: an event's fields and id, or that there is none. */
type Started = { token: string; answer: unknown }

/** Takes the place of a script's arguments, which begin with a key. */
const TOGETHER = 'together'
/** BullMQ's worker numbers its lock tokens, one after the other. */
const TOKEN = /^(.+:)(\d+)$/

export type TogetherOptions = {
  /** How many events the worker may have at present, and how many ms each is leased for. */
  inFlight: () => number
  leaseMs: () => number
  /** Events went to another worker, for this one renewed its leases too late. */
  onLost: (events: number) => void
}

/**
 * Has a BullMQ Worker finish events, and start others, many at a time. BullMQ asks Redis for each event by itself; its
 * `backendFactory` is the seam at which those questions are gathered:
 *
 * - Events that are finished in the same turn of the event loop, which are those of one batch, go there as one script.
 * - Where a worker asks for one event it gets all that it will ask for next, locked with the tokens that it will use.
 * What it does not ask for after all is handed back.
 * - Leases are renewed together, before anybody looks for those that ran out, and a lease that ran out unnoticed is
 * taken
 * again. BullMQ gives such an event up, and a process that was frozen would be the first to take it for stalled.
 */
export class Together {
  readonly #client: RedisClient & LeaseScripts & BatchScripts
  readonly #partition: Partition
  readonly #options: TogetherOptions
  readonly #keys: readonly string[]
  readonly #asked = new Map<number, () => Promise<unknown>>()
  #backend: RedisQueueBackend | undefined
  #finishes: Finish[] = []
  #started: Started[] = []
  #holding: NodeJS.Timeout | undefined
  #starting: Promise<void> = Promise.resolve()
  #lastNumber = -1
  #lastAsked = 0
  /** Events that the worker has got and not begun, works on, and is finishing. */
  readonly #given = new Set<unknown>()
  /** Events that it works on, with their lock tokens. */
  readonly #leased = new Map<string, string>()
  #running = 0
  #finishing = 0

  constructor(partition: Partition, client: RedisClient & LeaseScripts, options: TogetherOptions) {
    this.#options = options
    this.#client = withBatchScripts(client)
    this.#partition = partition
    this.#keys = BATCH_KEYS.map(partition.key)
  }

  readonly backend: BackendFactory<RedisQueueBackend> = (name, options, connections) => {
    const backend = createRedisBackend(name, options, connections)
    this.#backend = backend
    const completeAlone = backend.moveToCompleted.bind(backend)
    const failAlone = backend.moveToFailed.bind(backend)
    const startAlone = backend.moveToActive.bind(backend)
    const execCommand = backend.execCommand.bind(backend)
    // BullMQ's own method makes of a script's answer, errors included, what the worker expects.
    const read = (id: string, ask: () => Promise<unknown>) => {
      this.#lastAsked += 1
      this.#asked.set(this.#lastAsked, ask)
      return backend.moveToFinished(id, [TOGETHER, this.#lastAsked])
    }
    backend.execCommand = (redis, command, args) => {
      const ask = args[0] === TOGETHER && this.#asked.get(args[1])
      if (!ask) return execCommand(redis, command, args)
      this.#asked.delete(args[1])
      return ask()
    }
    backend.moveToCompleted = (job, value, removeOnComplete, token, fetchNext) => {
      const { id, parentKey, opts } = job
      // No event of ours is part of a flow or names a key for duplicates; what is, was not put there by ingest.
      const isOrdinary = value === undefined && removeOnComplete === undefined && !parentKey && !opts.deduplication
      if (!isOrdinary || id === undefined) return completeAlone(job, value, removeOnComplete, token, fetchNext)
      return this.#whileFinishing(async () => {
        const finishedOn = Date.now()
        return { result: await read(id, () => this.#finish(id, token, fetchNext)), finishedOn }
      })
    }
    backend.moveToFailed = (...args) => this.#whileFinishing(() => failAlone(...args))
    backend.moveToActive = async (token, worker) => {
      const started = await this.#start(token)
      return started === undefined ? startAlone(token, worker) : read('', async () => this.#give(started))
    }
    const lookForStalled = backend.moveStalledJobsToWait.bind(backend)
    backend.moveStalledJobsToWait = async () => {
      await this.#renew([...this.#leased])
      return lookForStalled()
    }
    backend.extendLocks = async (ids, tokens) => {
      await this.#renew(ids.map((id, index) => [id, tokens[index] ?? '']))
      return [] // those that are lost were told of; BullMQ would tell of each by itself
    }
    return backend
  }

  /** The worker's processor, counted. */
  readonly counting =
    (process: Process): Process =>
    async (job, token) => {
      const { id = '' } = job
      this.#given.delete(id)
      this.#running += 1
      this.#leased.set(id, token ?? '')
      try {
        return await process(job, token)
      } finally {
        this.#running -= 1
        if (this.#leased.get(id) === token) this.#leased.delete(id)
      }
    }

  /** Whether the worker has no event, and has told Redis of each that it had. */
  get isIdle(): boolean {
    return this.#started.length + this.#given.size + this.#running + this.#finishing === 0
  }

  /** Hands back what was started and not asked for, as if nobody had ever had it. */
  async handBack(): Promise<void> {
    // What is on its way from Redis is ours as well.
    await this.#starting
    clearTimeout(this.#holding)
    for (const { token, answer } of this.#started.splice(0)) {
      const id = idIn(answer)
      if (id === undefined) continue
      // Should it fail, the lease runs out.
      await this.#client.clerkStarts(this.#partition.key(id), token, startsIn(answer) - 1, 0).catch(() => {})
      await this.#backend?.moveJobFromActiveToWait(id, token).catch(() => {})
    }
  }

  async #whileFinishing<T>(work: () => Promise<T>): Promise<T> {
    this.#finishing += 1
    try {
      return await work()
    } finally {
      this.#finishing -= 1
    }
  }

  #give(answer: unknown): unknown {
    const id = idIn(answer)
    if (id !== undefined) this.#given.add(id)
    return answer
  }

  /** What a script said of the event that this token is for; undefined when BullMQ's own is to be asked. */
  async #start(token: string): Promise<unknown> {
    const [, prefix, digits] = TOKEN.exec(token) ?? []
    const number = Number(digits)
    // A worker that hands an event back asks for another with the token of that one.
    if (prefix === undefined || number <= this.#lastNumber) return undefined
    this.#lastNumber = number
    if (this.#started.length === 0) {
      const starting = this.#startMany(prefix, number)
      this.#starting = starting.catch(() => {})
      await starting
    }
    if (this.#started[0]?.token !== token) return undefined
    const { answer } = this.#started.shift() ?? {}
    if (this.#started.length === 0) clearTimeout(this.#holding)
    return answer
  }

  async #startMany(prefix: string, number: number): Promise<void> {
    const room = this.#options.inFlight() - this.#given.size - this.#running - this.#finishing
    const count = Math.max(1, Math.min(TOGETHER_MAX, room))
    const answers = await this.#client.clerkStart(...this.#keys, ...this.#head(), count, prefix, number)
    this.#started = answers.map((answer, index) => ({ token: `${prefix}${number + index}`, answer }))
    if (answers.length > 1) this.#holding = setTimeout(() => void this.handBack(), START_HOLD_MS)
  }

  #head(): (string | number)[] {
    return [this.#partition.key(''), Date.now(), this.#options.leaseMs(), STREAM_LENGTH]
  }

  async #renew(leases: readonly (readonly [id: string, token: string])[]): Promise<void> {
    if (leases.length === 0) return
    const { key } = this.#partition
    const lost = await this.#client.clerkRenew(
      ...([key('active'), key('stalled'), key(''), this.#options.leaseMs()] as const),
      ...leases.flat(),
    )
    if (lost.length > 0) this.#options.onLost(lost.length)
  }

  #finish(id: string, token: string, fetchNext: boolean): Promise<unknown> {
    return new Promise((settle, fail) => {
      this.#finishes.push({ args: [id, token, fetchNext ? 1 : 0], settle, fail })
      // The events of a batch are settled one after the other, and all of them before the next tick.
      if (this.#finishes.length === 1) process.nextTick(() => void this.#finishMany())
    })
  }

  async #finishMany(): Promise<void> {
    const all = this.#finishes.splice(0)
    // A script in each turn of the event loop: whoever else asks Redis for something has a turn between them.
    while (all.length > 0) {
      void this.#finishSome(all.splice(0, TOGETHER_MAX))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #finishSome(finishes: readonly Finish[]): Promise<void> {
    const args = finishes.flatMap(({ args }) => args)
    try {
      const answers = await this.#client.clerkFinish(...this.#keys, ...this.#head(), ...args)
      for (const [index, { settle }] of finishes.entries()) settle(this.#give(answers[index]))
    } catch (error) {
      for (const { fail } of finishes) fail(error)
    }
  }
}

/** The id of the event that was started; undefined where none was. */
const idIn = (answer: unknown): string | undefined =>
  Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined

/** How often it was started, this time included: its fields stand one after the other, each before its value. */
function startsIn(answer: unknown): number {
  const fields: unknown = Array.isArray(answer) ? answer[0] : null
  const at = Array.isArray(fields) ? fields.indexOf('ats') : -1
  return at === -1 ? 1 : Number((fields as unknown[])[at + 1])
}
