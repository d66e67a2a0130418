import { isIPv6 } from 'node:net'
import { ADDRESSES_MAX, WRONG_TOKENS_MAX, WRONG_TOKENS_MS } from './policy.js'

/** Counts wrong tokens by address, for pages and API together. */
export class WrongTokens {
  readonly #clock: () => number
  readonly #byAddress = new Map<string, { count: number; untilMs: number }>()

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Seconds that the address has to wait before any token of its is looked at; 0 when it need not. */
  waitS(address: string): number {
    const entry = this.#current(address)
    if (!entry || entry.count < WRONG_TOKENS_MAX) return 0
    return Math.ceil((entry.untilMs - this.#clock()) / 1000)
  }

  add(address: string): void {
    const entry = this.#current(address) ?? { count: 0, untilMs: this.#clock() + WRONG_TOKENS_MS }
    this.#byAddress.set(networkOf(address), { ...entry, count: entry.count + 1 })
    // A Map keeps the order of insertion: the first is the one whose time is up first.
    const [oldest] = this.#byAddress.keys()
    if (this.#byAddress.size > ADDRESSES_MAX && oldest !== undefined) this.#byAddress.delete(oldest)
  }

  #current(address: string) {
    const entry = this.#byAddress.get(networkOf(address))
    if (entry && entry.untilMs > this.#clock()) return entry
    this.#byAddress.delete(networkOf(address))
    return undefined
  }
}

/** Whoever has one IPv6 address has its whole /64. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::', 2)
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].slice(0, 4).join(':')
}
