import { isIP, isIPv6 } from 'node:net'

export interface FailureLimit {
  /** Failures from one address within `windowMs` before it has to wait for the window's end. */
  readonly failuresMax: number
  readonly windowMs: number
  /** Addresses that are remembered. Beyond, the one with the oldest window is forgotten, and may fail anew. */
  readonly addressesMax: number
}

/** Counts failures by source address, in bounded memory for any addresses. */
export class FailuresByAddress {
  readonly #limit: FailureLimit
  readonly #clock: () => number
  readonly #byNetwork = new Map<string, { count: number; untilMs: number }>()

  constructor(limit: FailureLimit, clock: () => number) {
    this.#limit = limit
    this.#clock = clock
  }

  /** Seconds that the address has to wait; 0 when it may continue. */
  waitS(address: string): number {
    const entry = this.#current(networkOf(address))
    if (!entry || entry.count < this.#limit.failuresMax) return 0
    return Math.ceil((entry.untilMs - this.#clock()) / 1000)
  }

  /** Returns how many failures the address has in its window, this one included. */
  add(address: string): number {
    const network = networkOf(address)
    const entry = this.#current(network) ?? { count: 0, untilMs: this.#clock() + this.#limit.windowMs }
    entry.count += 1
    this.#byNetwork.set(network, entry)
    // A Map keeps the order of insertion: the first one expires first.
    const [oldest] = this.#byNetwork.keys()
    if (this.#byNetwork.size > this.#limit.addressesMax && oldest !== undefined) this.#byNetwork.delete(oldest)
    return entry.count
  }

  #current(network: string) {
    const entry = this.#byNetwork.get(network)
    if (entry && entry.untilMs > this.#clock()) return entry
    this.#byNetwork.delete(network)
    return undefined
  }
}

/** The forms of some gateways in `X-Forwarded-For`: `203.0.113.7:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`. */
const WITH_PORT = /^(?:([\d.]{7,15}):\d{1,5}|\[([^\]]{2,50})\](?::\d{1,5})?)$/

/**
 * One source is an IPv4 address, or the /64 of an IPv6 address, the allocation of one customer; a port beside it does
 * not count. A proxy passes on any text of a client, so all texts that are no address count as one source, and their
 * content is not kept.
 */
export function networkOf(written: string): string {
  const [, v4, v6] = WITH_PORT.exec(written) ?? []
  const address = v4 ?? v6 ?? written
  if (isIP(address) === 0) return 'unknown'
  if (!isIPv6(address)) return address
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.split('::', 2)
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  const groups = [...before, ...zeros, ...after].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
