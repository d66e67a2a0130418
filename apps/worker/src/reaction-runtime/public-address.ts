import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Failure } from '@clerk-mirror/events'
import { isPrivateName } from '@clerk-mirror/runtime'

/** Addresses of this machine, of private networks and without an owner: IANA's special-purpose registries. */
const PRIVATE = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv4')
}

/** All of the internet's own addresses begin with 001; ranges that embed an IPv4 address are left out. */
const PUBLIC_V6 = new BlockList()
PUBLIC_V6.addSubnet('2000::', 3, 'ipv6')
const PRIVATE_V6 = new BlockList()
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  PRIVATE_V6.addSubnet(network, bits, 'ipv6')
}

/** Whether the address means the same machine everywhere on the internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !PRIVATE.check(address, 'ipv4')
  if (isIP(address) !== 6) return false
  return PUBLIC_V6.check(address, 'ipv6') && !PRIVATE_V6.check(address, 'ipv6')
}

const refused = () =>
  new Failure(
    'unknown',
    'receiver_private',
    'the receiver has a private address, and CHANGE_WEBHOOK_ALLOW_PRIVATE is not set',
  )

/** For an address that is written in the URL itself: no name is looked up then. @throws Failure */
export function demandPublicHost({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw refused()
}

/**
 * For a receiver behind a proxy, which looks names up itself: names of private networks are refused here, and the proxy
 * judges all others. @throws Failure
 */
export function demandPublicName(url: URL): void {
  if (isPrivateName(url)) throw refused()
}

/**
 * Looks a name up for a connection, and fails when it leads to a private address. The checked address is that of the
 * connection: a name that was checked before could lead elsewhere by now.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const [first] = addresses ?? []
    if (error || !first) return callback(error ?? new Error('the name leads nowhere'), '', 4)
    if (!addresses.every(({ address }) => isPublicAddress(address))) return callback(refused(), '', 4)
    return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
  })
}
