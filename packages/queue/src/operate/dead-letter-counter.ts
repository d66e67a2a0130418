import type { FailureClass } from '@clerk-mirror/events'
import { COUNT_PAGE, COUNT_PAGES_MAX } from '../limits.js'
import type { GaugeScripts } from '../lua/gauge-scripts.js'
import { firstOf, type Partitions } from '../partitions.js'

export type DeadLettersByClass = Readonly<Record<FailureClass, number>>

const NONE: DeadLettersByClass = { outage: 0, contention: 0, blocked: 0, poison: 0, killer: 0, unknown: 0 }

/**
 * Counts the dead letters by class, a bounded number at each call, and starts again at the end. A dead letter that
 * comes or goes meanwhile is counted or not; the next count is right.
 */
export class DeadLetterCounter {
  readonly #client: GaugeScripts
  readonly #partitions: Partitions
  #partition = 0
  #cursor = '0'
  #counting: Record<FailureClass, number> = { ...NONE }
  #last: DeadLettersByClass | null = null

  constructor(client: GaugeScripts, partitions: Partitions) {
    this.#client = client
    this.#partitions = partitions
  }

  /** The last complete count; null before the first. */
  get last(): DeadLettersByClass | null {
    return this.#last
  }

  /** @throws when Redis does not answer; the count continues from the same position. */
  async countNextPage(): Promise<void> {
    for (let page = 0; page < COUNT_PAGES_MAX; page += 1) {
      if (await this.#countOnePage()) return
    }
  }

  /** True after the last dead letter of the last partition. */
  async #countOnePage(): Promise<boolean> {
    const partitions = [...this.#partitions]
    // A partition that was retired since then was empty.
    const { key } = partitions[this.#partition] ?? firstOf(partitions)
    const [cursor, ...counts] = await this.#client.clerkCountByClass(key('failed'), key(''), this.#cursor, COUNT_PAGE)
    for (let index = 0; index < counts.length; index += 2) {
      const name = String(counts[index])
      const failureClass = isClass(name) ? name : 'unknown'
      this.#counting[failureClass] += Number(counts[index + 1])
    }
    this.#cursor = String(cursor)
    if (this.#cursor !== '0') return false
    this.#partition = (this.#partition + 1) % partitions.length
    if (this.#partition !== 0) return false
    this.#last = this.#counting
    this.#counting = { ...NONE }
    return true
  }
}

const isClass = (name: string): name is FailureClass => Object.hasOwn(NONE, name)
