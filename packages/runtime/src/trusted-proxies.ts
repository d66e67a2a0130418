import { isIP, isIPv6 } from 'node:net'
import type { Parser } from './config.js'

/** Named ranges: this machine, the link, and private networks. */
const NAMES = ['loopback', 'linklocal', 'uniquelocal']

/**
 * The proxies with a trusted `X-Forwarded-For` and `X-Forwarded-Proto`: addresses, CIDR ranges or names, separated
 * by commas or spaces. Neither `true` nor a number of hops: both believe any client, and then every client chooses the
 * address under which they are counted.
 */
export const trustedProxies: Parser<string[]> = (raw) => {
  const proxies = raw.split(/[\s,]+/).filter((each) => each !== '')
  const everybody = proxies.find((each) => /\/0+$/.test(each))
  if (everybody !== undefined) throw new Error('must not believe every address there is')
  if (proxies.length === 0 || !proxies.every(isProxy)) {
    throw new Error(`must be addresses, CIDR ranges or ${NAMES.join(', ')}, separated by commas: no hops, no flag`)
  }
  return proxies
}

function isProxy(text: string): boolean {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (isIP(address) === 0) return NAMES.includes(text)
  return bits === undefined || Number(bits) <= (isIPv6(address) ? 128 : 32)
}
