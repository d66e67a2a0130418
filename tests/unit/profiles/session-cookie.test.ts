import { createClerkClient } from '@clerk/backend'
import { describe, expect, test } from 'vitest'
import { parsePublishableKey } from '../../../apps/profiles/src/clerk-keys.js'
import { sessionOf } from '../../../apps/profiles/src/session.js'
import { sessionCookie, suffixOf } from '../../../apps/profiles/src/session-cookie.js'
import { FRONTEND_API, JWT_KEY, PARTY, sessionToken } from '../../support/profiles/profiles.js'

const nowS = Math.floor(Date.now() / 1000)
const keyOf = (kind: 'live' | 'test') => `pk_${kind}_${Buffer.from(`${FRONTEND_API}$`).toString('base64')}`
const token = (claims: object) => sessionToken('user_ada', { claims })
const cookieHeader = (cookies: Record<string, string | undefined>) =>
  Object.entries(cookies)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join('; ')

const plain = {
  absent: undefined,
  older: token({ iat: nowS - 30, jti: 'plain-older' }),
  newer: token({ iat: nowS - 5, jti: 'plain-newer' }),
  'of another instance': token({ iss: 'https://clerk.other.example' }),
  'without an issuer': token({ iss: undefined }),
  'no token': 'x.y',
}
const suffixed = {
  absent: undefined,
  older: token({ iat: nowS - 20, jti: 'own-older' }),
  newer: token({ iat: nowS - 1, jti: 'own-newer' }),
  expired: token({ iat: nowS - 90, exp: nowS - 60, jti: 'own-expired' }),
}
const updates = { absent: undefined, zero: '0', earlier: String(nowS - 100) }

type Case = {
  session: string
  own: string
  uat: string
  ownUat: string
  cookies: (suffix: string) => Record<string, string | undefined>
}

const cases: Case[] = Object.entries(plain).flatMap(([session, plainToken]) =>
  Object.entries(suffixed).flatMap(([own, ownToken]) =>
    Object.entries(updates).flatMap(([uat, plainUat]) =>
      Object.entries(updates).map(([ownUat, suffixedUat]) => ({
        ...{ session, own, uat, ownUat },
        cookies: (suffix: string) => ({
          __session: plainToken,
          [`__session_${suffix}`]: ownToken,
          __client_uat: plainUat,
          [`__client_uat_${suffix}`]: suffixedUat,
          __clerk_db_jwt: 'dev',
          [`__clerk_db_jwt_${suffix}`]: 'dev',
        }),
      })),
    ),
  ),
)

describe.each(['live', 'test'] as const)('the session cookie of a %s instance', (kind) => {
  const publishableKey = keyOf(kind)
  const instance = parsePublishableKey(publishableKey)
  const clerk = createClerkClient({
    publishableKey,
    secretKey: `sk_${kind}_${'x'.repeat(40)}`,
    jwtKey: JWT_KEY,
    telemetry: { disabled: true },
  })

  test("is the one that Clerk's own library signs people in with, whatever cookies there are", async () => {
    let signedIn = 0
    for (const { cookies, ...names } of cases) {
      const cookie = cookieHeader(cookies(suffixOf(instance)))
      const request = new Request('https://profiles.example.com/', { headers: { cookie, 'sec-fetch-dest': 'empty' } })
      const state = await clerk.authenticateRequest(request, { authorizedParties: [PARTY] })
      if (state.status !== 'signed-in') continue
      signedIn += 1
      expect({ ...names, token: sessionCookie(cookie, instance) }).toEqual({ ...names, token: state.token })
    }
    expect(signedIn).toBeGreaterThan(20)
  })
})

describe('several applications of one domain', () => {
  const instance = parsePublishableKey(keyOf('live'))
  const suffix = suffixOf(instance)
  const options = { jwtKey: JWT_KEY, authorizedParties: [PARTY], publishableKey: instance }
  const ask = (cookies: Record<string, string | undefined>) =>
    sessionOf({ method: 'GET', headers: { cookie: cookieHeader(cookies) } }, options)

  test('each have their own session, whoever signed in last', async () => {
    const another = plain['of another instance']
    const own = { [`__session_${suffix}`]: suffixed.newer, [`__client_uat_${suffix}`]: updates.earlier }
    expect(await ask({ __session: another, ...own })).toMatchObject({ kind: 'user' })
    expect(await ask({ __session: another, __session_AAAAAAAA: suffixed.newer })).toMatchObject({
      code: 'missing_token',
    })
  })

  test('a suffixed token is verified as any other', async () => {
    const forged = `${suffixed.newer.slice(0, -8)}AAAAAAAA`
    const cookies = { [`__session_${suffix}`]: forged, [`__client_uat_${suffix}`]: updates.earlier }
    expect(await ask(cookies)).toMatchObject({ code: 'invalid_token' })
  })

  test('in development, an expired token of its own gives way to the plain one that is said to be signed out', () => {
    const cookies = (ownSuffix: string) =>
      cookieHeader({
        ...{ __session: plain.older, __client_uat: '0' },
        ...{ [`__session_${ownSuffix}`]: suffixed.expired, [`__client_uat_${ownSuffix}`]: updates.earlier },
      })
    const development = parsePublishableKey(keyOf('test'))
    expect(sessionCookie(cookies(suffixOf(development)), development)).toBe(plain.older)
    expect(sessionCookie(cookies(suffix), instance)).toBe(suffixed.expired)
  })

  test('the suffix is that of Clerk', () => {
    // By getCookieSuffix of @clerk/shared.
    expect(suffixOf({ key: 'pk_test_Y2xlcmsuZXhhbXBsZS5jb20k' })).toBe('l2OS3d9k')
  })
})
