import { createHash } from 'node:crypto'
import type { PublishableKey } from './clerk-keys.js'

/*
 * Applications of one domain share its cookies. Clerk therefore writes each twice: under its plain name, which
 * whichever application signed in last has written, and with a suffix that only this application's instance has. This
 * chooses between the two as `usesSuffixedCookies` of @clerk/backend does, in the same order. No signature is verified
 * yet: the chosen token is verified as any other.
 */

const SESSION = '__session'
/** The client's last update, in seconds; "0" means signed out. */
const CLIENT_UAT = '__client_uat'

type Claims = { iss?: unknown; iat?: unknown; exp?: unknown }

/** The token of this instance's session; without a publishable key, that of the cookie `__session`. */
export function sessionCookie(header: string, instance: PublishableKey | undefined): string | undefined {
  const cookies = parseCookies(header)
  const plain = cookies.get(SESSION)
  if (instance === undefined) return plain
  const suffix = suffixOf(instance)
  const own = cookies.get(`${SESSION}_${suffix}`)
  const uat = { plain: cookies.get(CLIENT_UAT), own: cookies.get(`${CLIENT_UAT}_${suffix}`) }
  return usesOwn({ plain, own }, uat, instance) ? own : plain
}

type Pair = { plain: string | undefined; own: string | undefined }

function usesOwn(session: Pair, uat: Pair, { frontendApi, isProduction }: PublishableKey): boolean {
  const plain = claimsOf(session.plain)
  const own = claimsOf(session.own)
  if (session.plain !== undefined) {
    // Of a library that knows no issuer, and so no suffix.
    if (!plain?.iss) return false
    if (issuerOf(plain) !== frontendApi) return true
  }
  if (uat.own === undefined && session.own === undefined) return false
  if (uat.own !== '0' && uat.plain !== '0' && issuedAt(plain) > issuedAt(own)) return false
  if (uat.own === '0' && uat.plain !== '0') return false
  const isExpired = own !== undefined && Number(own.exp) <= Math.floor(Date.now() / 1000)
  // Where developers' browsers keep cookies of instances that were signed out elsewhere.
  if (!isProduction && uat.own !== '0' && uat.plain === '0' && isExpired) return false
  return uat.own !== undefined
}

const issuedAt = (claims: Claims | undefined) => Number(claims?.iat ?? 0)

const issuerOf = ({ iss }: Claims) => (typeof iss === 'string' ? iss.replace(/https?:\/\//gi, '') : undefined)

/** The token's unverified claims; undefined for a text that is no token. */
function claimsOf(token: string | undefined): Claims | undefined {
  const parts = token?.split('.') ?? []
  if (parts.length !== 3) return undefined
  try {
    const [, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')))
    return Object(claims) as Claims
  } catch {
    return undefined
  }
}

export const suffixOf = ({ key }: Pick<PublishableKey, 'key'>): string =>
  createHash('sha1').update(key).digest('base64url').slice(0, 8)

/**
 * Of two cookies by one name the first counts: the browser sends the one of the longer path first. Empty ones are none.
 */
function parseCookies(header: string): Map<string, string> {
  const cookies = new Map<string, string>()
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at).trim()
    const value = pair.slice(at + 1).trim()
    if (at !== -1 && !cookies.has(name)) cookies.set(name, value)
  }
  for (const [name, value] of cookies) if (value === '') cookies.delete(name)
  return cookies
}
