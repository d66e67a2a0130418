import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { checkSignatureHeaders, parseSigningSecrets, verifyRequest, verifySignature } from '@clerk-mirror/events'
import fc from 'fast-check'
import { Webhook } from 'svix'
import { describe, expect, test } from 'vitest'
import { disagreements } from '../../edge/verdicts.js'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER_SECRET = `whsec_${Buffer.from('another secret of a fair length').toString('base64')}`
const NOW_MS = Date.now()
const NOW_SECONDS = Math.floor(NOW_MS / 1000)
const BODY = Buffer.from('{"type":"user.created","data":{"id":"user_1"}}')

type Parts = { id?: string; timestamp?: string; signature?: string }

const sign = (secret: string, id: string, seconds: number, body: Buffer) =>
  new Webhook(secret).sign(id, new Date(seconds * 1000), body.toString())

const headers = (parts: Parts, family = 'svix') =>
  Object.entries(parts).flatMap(([name, value]) => [`${family}-${name}`, value])

const signed = (changes: Parts = {}, secret = SECRET): Parts => ({
  id: 'msg_1',
  timestamp: String(NOW_SECONDS),
  signature: sign(secret, 'msg_1', NOW_SECONDS, BODY),
  ...changes,
})

const verdict = (rawHeaders: string[], body = BODY, secrets = SECRET) => {
  const result = verifyRequest(rawHeaders, body, parseSigningSecrets(secrets), NOW_MS)
  return result.kind === 'verified' ? 'verified' : result.code
}

test("the vendors' published vectors verify", () => {
  const standard = headers(
    {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: '1614265330',
      signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
    'webhook',
  )
  const atSigning = 1_614_265_330_000
  const keys = parseSigningSecrets(SECRET)
  expect(verifyRequest(standard, Buffer.from('{"test": 2432232314}'), keys, atSigning).kind).toBe('verified')
  const svix = headers({
    id: 'msg_loFOjxBNrRLzqYUf',
    timestamp: '1731705121',
    signature: 'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
  })
  const svixKeys = parseSigningSecrets('whsec_plJ3nmyCDGBKInavdOK15jsl')
  const ping = Buffer.from('{"event_type":"ping","data":{"success":true}}')
  expect(verifyRequest(svix, ping, svixKeys, 1_731_705_121_000).kind).toBe('verified')
})

test('only headers that were checked can be verified', () => {
  const { id = '', signature = '' } = signed()
  const keys = parseSigningSecrets(SECRET)
  const checked = checkSignatureHeaders(headers(signed()), NOW_MS)
  if (checked.kind !== 'plausible') throw new Error('the headers are plausible')
  expect(verifySignature(checked.headers, BODY, keys)).toEqual({ kind: 'verified', svixId: id })
  const unchecked = { id, seconds: NOW_SECONDS, signatures: signature }
  // Does not compile when an object with the same members passes for checked headers.
  const isRefused: typeof unchecked extends Parameters<typeof verifySignature>[0] ? false : true = true
  expect(isRefused).toBe(true)
})

describe('a request', () => {
  const signature = signed().signature ?? ''
  test.each<[string, string[], string]>([
    ['signed by Svix verifies', headers(signed()), 'verified'],
    ['with the Standard Webhooks names verifies', headers(signed(), 'webhook'), 'verified'],
    [
      'whose header names are in capitals verifies',
      headers(signed()).map((h, i) => (i % 2 ? h : h.toUpperCase())),
      'verified',
    ],
    [
      'with several signatures verifies by any',
      headers(signed({ signature: `v1,bm8= v2,x ${signature}` })),
      'verified',
    ],
    [
      'that carries both families is judged by the svix one',
      [...headers(signed()), ...headers({ id: 'x', timestamp: '1', signature: 'x' }, 'webhook')],
      'verified',
    ],
    [
      '299 seconds old verifies',
      headers({ id: 'a', timestamp: String(NOW_SECONDS - 299), signature: sign(SECRET, 'a', NOW_SECONDS - 299, BODY) }),
      'verified',
    ],
    [
      '301 seconds old is stale',
      headers({ id: 'a', timestamp: String(NOW_SECONDS - 301), signature: sign(SECRET, 'a', NOW_SECONDS - 301, BODY) }),
      'stale_timestamp',
    ],
    [
      '301 seconds ahead is stale',
      headers({ id: 'a', timestamp: String(NOW_SECONDS + 301), signature: sign(SECRET, 'a', NOW_SECONDS + 301, BODY) }),
      'stale_timestamp',
    ],
    ['signed with another secret is refused', headers(signed({}, OTHER_SECRET)), 'invalid_signature'],
    ["with another message's id is refused", headers(signed({ id: 'msg_2' })), 'invalid_signature'],
    [
      'with a truncated signature is refused',
      headers(signed({ signature: signature.slice(0, -1) })),
      'invalid_signature',
    ],
    [
      'with only another version is refused',
      headers(signed({ signature: signature.replace('v1', 'v1a') })),
      'invalid_signature',
    ],
    ['without an id is refused', headers({ timestamp: String(NOW_SECONDS), signature }), 'missing_header'],
    ['with an empty timestamp is refused', headers(signed({ timestamp: '' })), 'missing_header'],
    ['without a signature is refused', headers({ id: 'msg_1', timestamp: String(NOW_SECONDS) }), 'missing_header'],
    ['whose timestamp is no number is refused', headers(signed({ timestamp: '123junk' })), 'invalid_timestamp'],
    ['that sends a header twice is refused', [...headers(signed()), 'Svix-Id', 'msg_1'], 'repeated_header'],
    [
      'with headers named like object members is refused',
      ['svix-constructor', 'a', 'svix-__proto__', 'b'],
      'missing_header',
    ],
  ])('%s', (_, rawHeaders, expected) => {
    expect(verdict(rawHeaders)).toBe(expected)
  })
  test('whose body changed by one byte is refused', () => {
    const changed = Buffer.from(BODY)
    changed[5] = (changed[5] ?? 0) ^ 1
    expect(verdict(headers(signed()), changed)).toBe('invalid_signature')
  })
  test.each([',', ' ', ' , '])('verifies with any of several secrets separated by "%s"', (separator) => {
    expect(verdict(headers(signed({}, OTHER_SECRET)), BODY, [SECRET, OTHER_SECRET].join(separator))).toBe('verified')
  })
})

test("for headers of every shape the verdict is the svix library's", () => {
  expect(disagreements(randomInt(2 ** 40), 1000)).toEqual([])
})

test("for any body and any tampering the verdict is the svix library's", () => {
  const tampered = fc.record({
    body: fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(JSON.stringify({ type: text }))),
    ageSeconds: fc.oneof(fc.integer({ min: -400, max: 400 }), fc.constantFrom(0, 299, -299)),
    signature: fc.oneof(
      fc.constant((good: string) => good),
      fc.constant((good: string) => `v1,${randomBytes(32).toString('base64')} ${good}`),
      fc.nat(40).map((at) => (good: string) => `${good.slice(0, at)}${good.slice(at + 1)}`),
      fc.string().map((text) => (good: string) => `${good},${text.replaceAll(' ', '')}`),
      fc.string().map((text) => () => text),
    ),
  })
  const library = new Webhook(SECRET)
  fc.assert(
    fc.property(tampered, ({ body, ageSeconds, signature }) => {
      const seconds = NOW_SECONDS - ageSeconds
      const key = parseSigningSecrets(SECRET)[0] ?? Buffer.alloc(0)
      const digest = createHmac('sha256', key).update(`msg_1.${seconds}.`).update(body).digest('base64')
      const parts = { id: 'msg_1', timestamp: String(seconds), signature: signature(`v1,${digest}`) }
      const theirs = verifies(() => library.verify(body, Object.fromEntries(pairs(headers(parts)))))
      const ours = verifyRequest(headers(parts), body, [key], Date.now())
      expect(ours.kind === 'verified').toBe(theirs)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['', 'holds no secret'],
  ['whsec_', 'is not "whsec_"'],
  [`${SECRET},whsec_not*base64`, 'holds secret 2 of 2'],
  ['whsec_c2VjcmV0', 'is shorter than 16 bytes'],
  [`${SECRET},whsec_MfKQ9r8GKYqrTwjUPD8I`, 'holds secret 2 of 2, which is shorter than 16 bytes'],
])('the secrets "%s" are refused without being shown', (raw, problem) => {
  expect(() => parseSigningSecrets(raw)).toThrow(problem)
  expect(() => parseSigningSecrets(raw)).not.toThrow(/MfKQ9r8|not\*base64|c2VjcmV0/)
})

function verifies(verify: () => unknown): boolean {
  try {
    verify()
    return true
  } catch {
    return false
  }
}

function pairs(flat: string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : []))
}
