import crypto, { createHmac } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { parseSigningSecrets, verifyRequest } from '@clerk-mirror/events'
import { afterEach, expect, test } from 'vitest'

const { timingSafeEqual } = crypto
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const KEYS = parseSigningSecrets(SECRET)
const BODY = Buffer.from('{"type":"user.created"}')
const NOW_MS = 1_700_000_000_000

const right = createHmac('sha256', KEYS[0] ?? '')
  .update(`msg_1.${NOW_MS / 1000}.`)
  .update(BODY)
  .digest('base64')
const wrong = `${right.slice(0, -2)}${right.endsWith('A=') ? 'B' : 'A'}=`

function verdict(signature: string): string {
  const headers = ['svix-id', 'msg_1', 'svix-timestamp', String(NOW_MS / 1000), 'svix-signature', `v1,${signature}`]
  return verifyRequest(headers, BODY, KEYS, NOW_MS).kind
}

function compareWith(compare: typeof timingSafeEqual): void {
  crypto.timingSafeEqual = compare
  syncBuiltinESMExports()
}
afterEach(() => compareWith(timingSafeEqual))

test('nothing but the comparison in constant time decides about a signature of the right length', () => {
  expect([verdict(right), verdict(wrong)]).toEqual(['verified', 'rejected'])
  const compared: string[] = []
  compareWith((a, b) => {
    compared.push(String(a), String(b))
    return true
  })
  expect(verdict(wrong)).toBe('verified')
  expect(compared.toSorted()).toEqual([right, wrong].toSorted())
  compareWith(() => false)
  expect(verdict(right)).toBe('rejected')
})

test('a signature of another length is refused without a comparison, which would throw', () => {
  for (const signature of ['', right.slice(0, -1), `${right}A`]) expect(verdict(signature)).toBe('rejected')
})
