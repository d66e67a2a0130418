import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { type EnvelopeKeys, type IncomingEvent, parseEnvelopeKeys } from '@clerk-mirror/queue/enqueue'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_KEYS } from '../../../packages/queue/src/job/encryption-keys.js'
import { envelopeOf, queueJobOf } from '../../../packages/queue/src/job/queue-job.js'
import { envelope } from '../../support/queue/queue.js'

const base64 = () => randomBytes(32).toString('base64')
const [one, two] = [base64(), base64()]
const KEYS = parseEnvelopeKeys(`k1:${one}`)

const stored = (event: IncomingEvent, keys: EnvelopeKeys, opening: EnvelopeKeys = keys) => {
  const { id, name, timestampMs, data } = queueJobOf(event, keys)
  return envelopeOf(id, name, timestampMs, JSON.parse(String(data)), opening)
}

describe('ENVELOPE_KEYS', () => {
  test('lists keys by their ids, the first one first', () => {
    const keys = parseEnvelopeKeys(` 2026-11:${one}, old_1.a:${two} `)
    expect([...keys.keys()]).toEqual(['2026-11', 'old_1.a'])
    expect(keys.get('2026-11')?.export().toString('base64')).toBe(one)
  })

  test.each([
    ['', /no key/],
    [one, /is not an id, a colon and 32 bytes/],
    [`k1:${one.slice(4)}`, /32 bytes/],
    [`k1:${Buffer.alloc(33).toString('base64')}`, /32 bytes/],
    [`k1:${Buffer.alloc(32).toString('hex')}`, /32 bytes/],
    [`k 1:${one}`, /entry 1 of 2/],
    [`${'k'.repeat(33)}:${one}`, /32 bytes/],
    [`k1:${one},${two}`, /entry 2 of 2/],
    [`k1:${one} k1:${two}`, /alike/],
  ])('"%s" is refused, and the fault quotes none of it', (raw, fault) => {
    expect(() => parseEnvelopeKeys(raw)).toThrow(fault)
    const message = String(faultOf(raw))
    for (const key of [one, two]) expect(message).not.toContain(key.slice(0, 12))
  })

  test('do not show when a configuration is printed', () => {
    expect(inspect(KEYS, { depth: 9, showHidden: true })).not.toContain(one)
    expect(JSON.stringify([...KEYS])).not.toContain(one)
  })
})

const faultOf = (raw: string) => {
  try {
    return parseEnvelopeKeys(raw)
  } catch (error) {
    return error
  }
}

describe('a sealed body', () => {
  test('comes back as it was, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (body) => {
        expect(stored(envelope('msg_1', { body }), KEYS)).toMatchObject({ body })
      }),
    )
  })

  test('comes back as the text that its bytes are, when nobody read them as text', () => {
    const body = '{"type":"a","data":{"name":"Zoë 😀 \\u00eb \\ud800"}}\n'
    expect(stored({ ...envelope('msg_1'), body: Buffer.from(body) }, KEYS)).toMatchObject({ body })
  })

  test('shows nothing of itself, and is another one each time', () => {
    const event = envelope('msg_1', { body: 'MARKER'.repeat(20) })
    const [first, second] = [queueJobOf(event, KEYS).data, queueJobOf(event, KEYS).data]
    expect(first).not.toContain('MARKER')
    expect(first).not.toBe(second)
  })

  test('leaves in clear what lists, traces and erasures need, and its key’s name', () => {
    const event = envelope('msg_1', { userId: 'user_7', instanceId: 'ins_1' })
    expect(JSON.parse(String(queueJobOf(event, KEYS).data))).toEqual({
      objectId: 'user_1',
      instanceId: 'ins_1',
      source: 'clerk',
      userId: 'user_7',
      sealed: expect.stringMatching(/^k1:[\w-]+$/),
    })
  })

  test('is a third longer than in clear, and no more', () => {
    const body = 'x'.repeat(30_000)
    expect(queueJobOf(envelope('msg_1', { body }), KEYS).data.length).toBeLessThan(30_000 * 1.34 + 200)
  })

  test('opens with a key that is listed behind another, and without its key says which one it needs', () => {
    const both = parseEnvelopeKeys(`k2:${two},k1:${one}`)
    const event = envelope('msg_1')
    expect(stored(event, KEYS, both)).toEqual(event)
    expect(stored(event, both, KEYS)).toMatchObject({ body: { keyId: 'k2', fault: 'key-missing' } })
    expect(stored(event, KEYS, NO_KEYS)).toMatchObject({ body: { keyId: 'k1', fault: 'key-missing' } })
  })

  test('is read in clear by those who have keys, when it was stored without', () => {
    const event = envelope('msg_1')
    expect(stored(event, NO_KEYS, KEYS)).toEqual(event)
    expect(JSON.parse(String(queueJobOf({ ...event, userId: 'user_7' }, NO_KEYS).data))).not.toHaveProperty('userId')
  })

  test('opens in no other place: not as another event, of another type, object, user, instance or source', () => {
    const { id, name, timestampMs, data } = queueJobOf(
      envelope('msg_1', { userId: 'user_7', instanceId: 'ins_1' }),
      KEYS,
    )
    const open = (place: { id?: string; name?: string; [field: string]: unknown }) => {
      const { id: otherId = id, name: otherName = name, ...fields } = place
      return envelopeOf(otherId, otherName, timestampMs, { ...JSON.parse(String(data)), ...fields }, KEYS)?.body
    }
    expect(open({})).toEqual(envelope('msg_1').body)
    const refused = { keyId: 'k1', fault: 'not-authentic' }
    expect(open({ id: 'msg_2' })).toEqual(refused)
    expect(open({ name: 'user.deleted' })).toEqual(refused)
    for (const field of ['objectId', 'instanceId', 'userId', 'source']) expect(open({ [field]: 'x' })).toEqual(refused)
    expect(open({ userId: undefined })).toEqual(refused)
  })

  test('opens with not one bit changed', () => {
    const { id, name, timestampMs, data } = queueJobOf(envelope('msg_1', { body: '{}' }), KEYS)
    const job = JSON.parse(String(data))
    const bytes = Buffer.from(job.sealed.slice('k1:'.length), 'base64url')
    const isRefused = (changed: Buffer) => {
      const sealed = `k1:${changed.toString('base64url')}`
      return typeof envelopeOf(id, name, timestampMs, { ...job, sealed }, KEYS)?.body === 'object'
    }
    expect(isRefused(bytes)).toBe(false)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(isRefused(changed)).toBe(true)
    }
    for (let length = 0; length < bytes.length; length += 1) expect(isRefused(bytes.subarray(0, length))).toBe(true)
  })
})

describe('a sealed body whose key’s id another key has taken', () => {
  test('does not open', () => {
    const impostor = parseEnvelopeKeys(`k1:${two}`)
    expect(stored(envelope('msg_1'), KEYS, impostor)).toMatchObject({ body: { keyId: 'k1', fault: 'not-authentic' } })
  })

  test('opens again when its own key is listed besides, under any id', () => {
    const event = envelope('msg_1')
    expect(stored(event, KEYS, parseEnvelopeKeys(`k1:${two},k3:${base64()},lost:${one}`))).toEqual(event)
    const strangers = parseEnvelopeKeys(`k1:${two},k3:${base64()}`)
    expect(stored(event, KEYS, strangers)).toMatchObject({ body: { keyId: 'k1', fault: 'not-authentic' } })
  })
})

describe('a body that came as bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each))
  const text = fc.string({ unit: 'grapheme', maxLength: 200 }).map((each) => Buffer.from(each))

  test('lies in clear as the text that its bytes are, whatever lies beside it', () => {
    const beside = fc.record({
      objectId: fc.option(fc.string({ unit: 'grapheme' })),
      instanceId: fc.option(fc.string({ unit: 'binary' })),
    })
    fc.assert(
      fc.property(fc.oneof(bytes, text), beside, (body, ids) => {
        const event = { ...envelope('msg_1'), ...ids }
        const [asBytes, asText] = [body, body.toString()].map(
          (each) => queueJobOf({ ...event, body: each }, NO_KEYS).data,
        )
        expect(JSON.parse(String(asBytes))).toEqual(JSON.parse(String(asText)))
      }),
    )
  })

  test('keeps its trace and what lists read first', () => {
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const { data } = queueJobOf({ ...envelope('msg_1'), body: Buffer.from('{}') }, NO_KEYS, trace)
    expect(String(data)).toBe(`{"objectId":"user_1","instanceId":null,"source":"clerk","trace":"${trace}","body":"{}"}`)
  })
})
