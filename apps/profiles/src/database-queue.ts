import { networkOf } from '@clerk-mirror/runtime'
import { Refusal } from './errors.js'

export type QueueLimits = {
  /** Reads and writes that run at once. */
  turns: number
  waitingMax: number
  waitMs: number
}

export type Requester = {
  address: string
  /** The client has gone away: its request does not begin any more. */
  hasLeft: () => boolean
}

type Waiting = { begin: () => void; refuse: () => void; hasLeft: () => boolean }

/**
 * A bounded queue in front of the database's pool, which has none: its own grows as long as requests come, and refuses
 * all of them alike once it is slow. Source addresses take turns, so that a flood from one of them makes only itself
 * wait; when the queue is full, the newest request of the address that has the most is refused.
 */
export class DatabaseQueue {
  readonly #limits: QueueLimits
  readonly #byAddress = new Map<string, Waiting[]>()
  #running = 0
  #waiting = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get waiting(): number {
    return this.#waiting
  }

  /** @throws Refusal `overloaded`, or the work's own error. */
  async run<T>(requester: Requester, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.turns) this.#running += 1
    else await this.#turn(requester)
    try {
      return await work()
    } finally {
      if (!this.#beginNext()) this.#running -= 1
    }
  }

  /** Resolves when it is this requester's turn, which it takes over from the one that has ended. */
  #turn({ address, hasLeft }: Requester): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = () => {
        clearTimeout(late)
        reject(new Refusal('overloaded'))
      }
      const begin = () => {
        clearTimeout(late)
        resolve()
      }
      const waiting: Waiting = { begin, refuse, hasLeft }
      const network = networkOf(address)
      const late = setTimeout(() => {
        this.#remove(network, waiting)
        refuse()
      }, this.#limits.waitMs)
      this.#add(network, waiting)
      if (this.#waiting > this.#limits.waitingMax) this.#refuseOne()
    })
  }

  #add(network: string, waiting: Waiting): void {
    const others = this.#byAddress.get(network)
    if (others) others.push(waiting)
    else this.#byAddress.set(network, [waiting])
    this.#waiting += 1
  }

  #remove(network: string, waiting: Waiting): void {
    const all = this.#byAddress.get(network) ?? []
    const index = all.indexOf(waiting)
    if (index < 0) return
    all.splice(index, 1)
    if (all.length === 0) this.#byAddress.delete(network)
    this.#waiting -= 1
  }

  #refuseOne(): void {
    const [network, all] = [...this.#byAddress].reduce((most, each) => (each[1].length >= most[1].length ? each : most))
    const newest = all.at(-1)
    if (newest === undefined) return
    this.#remove(network, newest)
    newest.refuse()
  }

  /** The first of the address that has waited longest for a turn; that address is last afterwards. */
  #beginNext(): boolean {
    for (const [network, all] of this.#byAddress) {
      const next = all[0]
      if (next === undefined) continue
      this.#remove(network, next)
      if (next.hasLeft()) {
        next.refuse()
        return this.#beginNext()
      }
      if (all.length > 0) {
        this.#byAddress.delete(network)
        this.#byAddress.set(network, all)
      }
      next.begin()
      return true
    }
    return false
  }
}
