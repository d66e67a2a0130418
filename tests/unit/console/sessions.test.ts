import { expect, test } from 'vitest'
import { type Account, parseAccounts } from '../../../apps/console/src/accounts.js'
import { SESSION_MS } from '../../../apps/console/src/policy.js'
import { openSessions } from '../../../apps/console/src/sessions.js'

const accounts = parseAccounts('ada:operator:0123456789abcdefghij,bob:viewer:abcdefghij0123456789')
const [ada, bob] = accounts as [Account, Account]
let nowMs = 1_700_000_000_000
const clock = () => nowMs
const sessions = openSessions(accounts, clock)

test('a session is its account until it has lasted a shift', () => {
  const cookie = sessions.begin(ada)
  expect(sessions.read(cookie)?.account).toEqual(ada)
  nowMs += SESSION_MS
  expect(sessions.read(cookie)).toBeNull()
})

test('a restart ends no session; a changed token, a changed role and a removed account end theirs alone', () => {
  const [adas, bobs] = [sessions.begin(ada), sessions.begin(bob)]
  expect(openSessions(accounts, clock).read(adas)?.account.name).toBe('ada')
  for (const changed of [
    [bob],
    [{ ...ada, token: 'another-token-of-20-chars' }, bob],
    [{ ...ada, role: 'viewer' as const }, bob],
  ]) {
    const after = openSessions(changed, clock)
    expect(after.read(adas)).toBeNull()
    expect(after.read(bobs)?.account).toEqual(bob)
  }
})

test('no part of a cookie can be changed', () => {
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
  for (const each of [...forged, undefined, '']) expect(sessions.read(each)).toBeNull()
})

test('a form key belongs to one session and is not its signature', () => {
  const [one, other] = [sessions.begin(ada), sessions.begin(ada)]
  const keyOf = (cookie: string) => sessions.read(cookie)?.formKey
  expect(keyOf(one)).toBe(keyOf(one))
  expect(keyOf(one)).not.toBe(keyOf(other))
  expect(one).not.toContain(keyOf(one))
})
