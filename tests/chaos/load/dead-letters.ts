import { setTimeout as pause } from 'node:timers/promises'
import { type Operations, openOperations } from '@clerk-mirror/operations'
import { partitions } from '@clerk-mirror/queue/enqueue'
import type { Random } from '../../../packages/devstack/src/random.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { parseRedisUrl } from '../../../packages/queue/src/redis/redis-url.js'
import type { Journal } from '../oracle/journal.js'
import { key, type Site } from '../stage/site.js'
import type { Totals } from '../totals.js'
import type { Sender } from './sender.js'
import type { Item } from './stream.js'

const LOOK_MS = 200
const RACE_MS = 60
const RESENT_MAX = 5
const OPERATOR = { actor: 'chaos' }

export type DeadLettersOptions = { site: Site; sender: Sender; random: Random; totals: Totals; journal: Journal }

/** An operator, and a Clerk that resends events: the fate of the intended dead letters. */
export class DeadLetters implements AsyncDisposable {
  readonly #options: DeadLettersOptions
  readonly #operations: Operations
  /** Events that were discarded for good, by a command that is on record. */
  readonly discarded = new Set<string>()
  /** Events with an unreadable first body: they wait for an operator, and no worker can help them. */
  readonly broken = new Set<string>()
  #open = 0
  #isClosed = false

  private constructor(options: DeadLettersOptions, operations: Operations) {
    this.#options = options
    this.#operations = operations
  }

  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const { redisUrl, adminUrl } = options.site
    const database = parseDatabaseUrl(adminUrl)
    return new DeadLetters(
      options,
      await openOperations({ redis: parseRedisUrl(redisUrl), partitions: partitions(1), database }),
    )
  }

  /** Dead letters that are still on their way to their end. */
  get open(): number {
    return this.#open
  }

  async see(item: Extract<Item, { kind: 'cursed' | 'poison' }>): Promise<void> {
    const { sender } = this.#options
    this.#open += 1
    const { eventId } = item.broken
    this.broken.add(eventId)
    await sender.deliver(item.broken)
    await this.#untilDead(eventId)
    if (item.kind === 'poison') await this.#discardForGood(eventId)
    else await this.#cure(item)
    this.#open -= 1
  }

  async #cure({ event, cure }: Extract<Item, { kind: 'cursed' }>): Promise<void> {
    const { sender, random, totals } = this.#options
    const { eventId } = event
    if (cure === 'resent while it is discarded') {
      void this.#discard(eventId)
      await pause(random.fraction() * RACE_MS)
    } else if (cure === 'resent after a replay' && (await this.#replay(eventId))) {
      totals.replayed += 1
      await this.#untilDead(eventId)
    }
    // A request in flight at a frozen ingest may revive the dead letter with its first body at the same moment: then
    // once more.
    for (let resent = 0; resent < RESENT_MAX; resent += 1) {
      await sender.deliver(event)
      if (!(await this.#diesAgain(eventId))) return
    }
  }

  /** Waits until it was decided, or is gone from the queue, which is false; or is a dead letter once more. */
  async #diesAgain(eventId: string): Promise<boolean> {
    const { journal, site } = this.#options
    while (!this.#isClosed && !journal.isDecided(eventId)) {
      if (await this.#isDead(eventId)) return true
      if ((await site.redis.exists(key(eventId)).catch(() => 1)) === 0) return false
      await pause(LOOK_MS)
    }
    return false
  }

  /** Dead letters that are not intended. */
  async leftOver(): Promise<string[]> {
    // A late duplicate may have come for a discarded event.
    for (const eventId of this.discarded) if (await this.#isDead(eventId)) await this.#discard(eventId)
    const left: string[] = []
    for await (const { id, reason } of this.#operations.deadLetters.each({ all: true }))
      left.push(`${id}: ${reason.code}`)
    return left
  }

  async #discardForGood(eventId: string): Promise<void> {
    this.discarded.add(eventId)
    // A sender without an answer sends late duplicates, and a discarded event becomes a dead letter again.
    while (!this.#isClosed && (await this.#isDead(eventId)) !== false) {
      this.#options.totals.discarded += await this.#discard(eventId)
      await pause(LOOK_MS)
    }
  }

  /** How many it removed: operators have outages, too. */
  async #discard(eventId: string): Promise<number> {
    const { deadLetters } = this.#operations
    return await deadLetters.discard({ ids: [eventId] }, OPERATOR).then(
      ({ discarded }) => discarded,
      () => 0,
    )
  }

  async #replay(eventId: string): Promise<boolean> {
    return await this.#operations.deadLetters.replay({ ids: [eventId] }, OPERATOR).then(
      ({ replayed }) => replayed > 0,
      () => false,
    )
  }

  async #untilDead(eventId: string): Promise<void> {
    const { journal } = this.#options
    while (!this.#isClosed && (await this.#isDead(eventId)) !== true && !journal.isDecided(eventId))
      await pause(LOOK_MS)
  }

  /** Null: Redis does not say. */
  #isDead(eventId: string): Promise<boolean | null> {
    const score = this.#options.site.redis.zscore(key('failed'), eventId)
    return score.then(
      (found) => found !== null,
      () => null,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#operations[Symbol.asyncDispose]()
  }
}
