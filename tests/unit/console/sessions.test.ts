import { expect, test } from 'vitest'
import { type Account, parseAccounts } from '../../../apps/console/src/auth/accounts.js'
import { openSessions } from '../../../apps/console/src/auth/sessions.js'
import { SESSION_MS } from '../../../apps/console/src/limits.js'

const accounts = parseAccounts(
  'ada:operator:0123456789abcdefghijklmnopqrstuv,bob:viewer:abcdefghijklmnopqrstuv0123456789',
)
const [ada, bob] = accounts as [Account, Account]
let nowMs = 1_700_000_000_000
const clock = () => nowMs
const NONE_ENDED = { revoke: async () => {}, isRevoked: async () => false }
const sessions = openSessions(accounts, NONE_ENDED, clock)

test('a session is its account until it has lasted a shift', async () => {
  const cookie = sessions.begin(ada)
  expect((await sessions.read(cookie))?.account).toEqual(ada)
  nowMs += SESSION_MS
  expect(await sessions.read(cookie)).toBeNull()
})

test('a restart ends no session; a changed token, a changed role and a removed account end theirs alone', async () => {
  const [adas, bobs] = [sessions.begin(ada), sessions.begin(bob)]
  expect((await openSessions(accounts, NONE_ENDED, clock).read(adas))?.account.name).toBe('ada')
  for (const changed of [
    [bob],
    [{ ...ada, token: 'another-token-that-has-32-characters' }, bob],
    [{ ...ada, role: 'viewer' as const }, bob],
  ]) {
    const after = openSessions(changed, NONE_ENDED, clock)
    expect(await after.read(adas)).toBeNull()
    expect((await after.read(bobs))?.account).toEqual(bob)
  }
})

test('no part of a cookie can be changed', async () => {
  const cookie = sessions.begin(bob)
  const [name, expiry, nonce, signature] = cookie.split('.')
  const forged = [
    [Buffer.from('ada').toString('base64url'), expiry, nonce, signature],
    [name, String(Number(expiry) + 1), nonce, signature],
    [name, expiry, 'x', signature],
    [name, expiry, nonce, ''],
    [name, expiry, nonce, `${signature}x`],
    [],
  ].map((parts) => parts.join('.'))
  for (const each of [...forged, undefined, '']) expect(await sessions.read(each)).toBeNull()
})

test('a form key belongs to one session and is not its signature', async () => {
  const [one, other] = [sessions.begin(ada), sessions.begin(ada)]
  const keyOf = async (cookie: string) => (await sessions.read(cookie))?.formKey
  expect(await keyOf(one)).toBe(await keyOf(one))
  expect(await keyOf(one)).not.toBe(await keyOf(other))
  expect(one).not.toContain(await keyOf(one))
})
