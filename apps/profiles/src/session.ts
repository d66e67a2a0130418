import type { IncomingHttpHeaders } from 'node:http'
import { verifyToken } from '@clerk/backend'
import { TokenVerificationError, TokenVerificationErrorReason } from '@clerk/backend/errors'
import type { PublishableKey } from './clerk-keys.js'
import type { RefusalCode } from './errors.js'
import { CLOCK_SKEW_MS } from './limits.js'
import { sessionCookie } from './session-cookie.js'

export type Session = { kind: 'user'; clerkId: string } | { kind: 'refused'; code: RefusalCode }

export type SessionOptions = {
  jwtKey: string | undefined
  authorizedParties: readonly string[] | undefined
  /** Says which of the cookies are this instance's, where applications share a domain. */
  publishableKey: PublishableKey | undefined
}

/** The form of a Clerk id, as the mirror accepts it. */
const CLERK_ID = /^[!-~]{1,64}$/

/**
 * The requesting user, by Clerk's session token: of the header `Authorization: Bearer …`, else of the session's cookie.
 * Verified with the instance's public key and without asking Clerk.
 * A browser sends the cookie with requests of any page, so with it a change must come from a page of this origin.
 */
export async function sessionOf(
  { method, headers }: { method: string; headers: IncomingHttpHeaders },
  options: SessionOptions,
): Promise<Session> {
  if (options.jwtKey === undefined) return { kind: 'refused', code: 'sign_in_not_configured' }
  const { authorization } = headers
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
    return token === undefined ? { kind: 'refused', code: 'invalid_token' } : verified(token, options.jwtKey, options)
  }
  const token = sessionCookie(headers.cookie ?? '', options.publishableKey)
  if (token === undefined) return { kind: 'refused', code: 'missing_token' }
  if (method !== 'GET' && method !== 'HEAD' && !isFromThisOrigin(headers))
    return { kind: 'refused', code: 'cross_site' }
  return verified(token, options.jwtKey, options)
}

/**
 * Every browser of today sends the origin of a change; a client without one is no browser, and has no use for a cookie.
 */
function isFromThisOrigin(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin = '', host } = headers
  return URL.canParse(origin) && new URL(origin).host === host
}

async function verified(
  token: string,
  jwtKey: string,
  { authorizedParties }: Pick<SessionOptions, 'authorizedParties'>,
): Promise<Session> {
  try {
    const claims = await verifyToken(token, {
      jwtKey,
      clockSkewInMs: CLOCK_SKEW_MS,
      ...(authorizedParties && { authorizedParties: [...authorizedParties] }),
    })
    // The same key signs tokens of other kinds, made from templates for third parties: they name no session. A pending
    // session still owes Clerk a task, such as a second factor.
    const isOfSession = typeof claims.sid === 'string' && claims.sts !== 'pending' && CLERK_ID.test(claims.sub)
    return isOfSession ? { kind: 'user', clerkId: claims.sub } : { kind: 'refused', code: 'invalid_token' }
  } catch (error) {
    return { kind: 'refused', code: isExpiry(error) ? 'expired_token' : 'invalid_token' }
  }
}

const isExpiry = (error: unknown) =>
  error instanceof TokenVerificationError && error.reason === TokenVerificationErrorReason.TokenExpired
