import {
  type Change,
  compareVersions,
  decode,
  type Envelope,
  eventIdOf,
  isNeverStored,
  parseMirroredKinds,
  peek,
} from '@clerk-mirror/events'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const everything = parseMirroredKinds('*')

function envelope(body: unknown): Envelope {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { eventId: 'msg_1', type: '', objectId: null, instanceId: null, source: 'clerk', receivedAtMs: 0, body: text }
}

const user = (data: object, event: object = {}) =>
  envelope({ type: 'user.updated', timestamp: 1_700_000_000_000, data: { id: 'user_1', ...data }, ...event })

function changeOf(input: Envelope): Change {
  const decoded = decode(input, everything)
  if (decoded.kind !== 'change') throw new Error(`expected a change, got ${JSON.stringify(decoded)}`)
  return decoded.change
}

function userOf(data: object) {
  const change = changeOf(user(data))
  if (change.deleted || change.object?.kind !== 'user') throw new Error('expected a user')
  return change.object.object
}

describe('the version of an event', () => {
  test.each<[string, object, object, [number, number]]>([
    ['has both times', { updated_at: 5e12 }, { timestamp: 6e12 }, [5e12, 6e12]],
    ['takes the timestamp for a missing updated_at', {}, { timestamp: 6e12 }, [6e12, 6e12]],
    ['takes updated_at for a missing timestamp', { updated_at: 5e12 }, { timestamp: undefined }, [5e12, 5e12]],
    ['is 0 without either', {}, { timestamp: null }, [0, 0]],
    ['reads a timestamp in seconds', {}, { timestamp: 1_716_883_200 }, [1_716_883_200_000, 1_716_883_200_000]],
    ['leaves out a time of another type', { updated_at: '5e12' }, { timestamp: 6e12 }, [6e12, 6e12]],
    ['leaves out a time beyond any clock', { updated_at: 1e300 }, { timestamp: 6e12 }, [6e12, 6e12]],
    ['leaves out a negative time', { updated_at: -1 }, { timestamp: 6e12 }, [6e12, 6e12]],
  ])('%s', (_, data, event, [updatedAtMs, timestampMs]) => {
    expect(changeOf(user(data, event)).version).toEqual({ updatedAtMs, timestampMs, eventId: 'msg_1' })
  })

  test('orders totally: any two different events have a winner, and all agree on it', () => {
    const version = fc.record({
      updatedAtMs: fc.nat(2),
      timestampMs: fc.nat(2),
      eventId: fc.constantFrom('msg_A', 'msg_a', 'msg_b'),
    })
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0)
        if (compareVersions(a, b) === 0) expect(a).toEqual(b)
        if (compareVersions(a, b) < 0 && compareVersions(b, c) < 0) expect(compareVersions(a, c)).toBeLessThan(0)
      }),
    )
  })
})

describe('a user', () => {
  test('has the address that the primary id names, wherever it stands in the list', () => {
    const email_addresses = [
      { id: 'idn_1', email_address: 'old@example.org' },
      { id: 'idn_2', email_address: 'ada@example.org' },
    ]
    expect(userOf({ email_addresses, primary_email_address_id: 'idn_2' }).email).toBe('ada@example.org')
    expect(userOf({ email_addresses, primary_email_address_id: 'idn_9' }).email).toBeNull()
    expect(userOf({ email_addresses, primary_email_address_id: null }).email).toBeNull()
    expect(userOf({ email_addresses: [], primary_email_address_id: 'idn_1' }).email).toBeNull()
    expect(userOf({ email_addresses: [null, 7, 'x'], primary_email_address_id: 'idn_1' }).email).toBeNull()
  })

  test('with fields of wrong types is mirrored without them', () => {
    const odd = userOf({
      username: 7,
      first_name: ['a'],
      last_name: {},
      banned: 'yes',
      created_at: 'today',
      public_metadata: 'text',
    })
    expect(odd).toMatchObject({
      username: null,
      firstName: null,
      lastName: null,
      banned: false,
      createdAtMs: null,
      publicMetadata: null,
    })
  })

  test('with lone surrogates is stored well-formed', () => {
    const change = changeOf(envelope('{"type":"user.updated","data":{"id":"user_1","first_name":"a\\ud83d"}}'))
    expect(change).toMatchObject({
      data: '{"id":"user_1","first_name":"a\\ufffd"}',
      object: { object: { firstName: 'a\ufffd' } },
    })
  })

  test("keeps Clerk's own text, large integers and duplicate keys included", () => {
    const data = '{ "id":"user_1", "public_metadata": {"n":12345678901234567890,"n":1.50} }'
    const change = changeOf(envelope(`{"type":"user.updated","data":${data}}`))
    expect(change).toMatchObject({
      data,
      object: { object: { publicMetadata: '{"n":12345678901234567890,"n":1.50}' } },
    })
  })

  test('never carries backup codes', () => {
    const change = changeOf(user({ phone_numbers: [{ id: 'idn_1', backup_codes: ['secret-1', 'secret-2'] }] }))
    expect(JSON.stringify(change)).not.toContain('secret-')
  })
})

describe('an event', () => {
  test('of type deleted is a delete, whatever else it carries', () => {
    expect(changeOf(envelope({ type: 'user.deleted', data: { id: 'user_1', deleted: true } }))).toMatchObject({
      deleted: true,
    })
    const membership = {
      id: 'orgmem_1',
      organization: { id: 'org_1' },
      public_user_data: { user_id: 'user_1' },
      updated_at: 1,
    }
    expect(changeOf(envelope({ type: 'organizationMembership.deleted', data: membership }))).toMatchObject({
      deleted: true,
      owners: { userId: 'user_1', organizationId: 'org_1' },
    })
  })

  test('that flags itself deleted under another type is no delete', () => {
    expect(changeOf(user({ deleted: true }))).toMatchObject({ deleted: false })
  })

  test.each<[string, unknown, string]>([
    ['whose id is a number', { type: 'user.created', data: { id: 7 } }, 'data.id'],
    ['whose id is missing', { type: 'user.created', data: {} }, 'data.id'],
    ['whose id holds a space', { type: 'user.created', data: { id: 'user_1 ' } }, 'data.id'],
    ['whose id is too long', { type: 'user.created', data: { id: 'u'.repeat(65) } }, 'data.id'],
    ['of an unknown kind whose id cannot be a key', { type: 'new.thing', data: { id: 'é' } }, 'data.id'],
    ['whose data is a list', { type: 'user.created', data: [] }, 'data'],
    ['whose type is no name', { type: 'user\u0000.created', data: { id: 'user_1' } }, 'type'],
    ['that is no object', '"text"', '$'],
  ])('%s is malformed, and says where', (_, body, at) => {
    expect(decode(envelope(body), everything)).toMatchObject({ kind: 'malformed', at })
  })

  test('of an unknown kind with an id is a change, without one it is ignored', () => {
    expect(changeOf(envelope({ type: 'brand.new.thing', data: { id: 'thing_1' } })).objectKind).toBe('brand.new')
    expect(decode(envelope({ type: 'brand.new', data: {} }), everything)).toEqual({ kind: 'ignored' })
    expect(decode(envelope({ type: '__proto__.created' }), everything)).toEqual({ kind: 'ignored' })
  })

  test('of a kind that is not mirrored is ignored', () => {
    expect(decode(user({}), parseMirroredKinds('*,-user'))).toEqual({ kind: 'ignored' })
    expect(decode(user({}), parseMirroredKinds('organization'))).toEqual({ kind: 'ignored' })
    expect(decode(user({}), parseMirroredKinds('user, -session')).kind).toBe('change')
  })

  test('of any shape is decoded without an exception', () => {
    const anything = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((data) => JSON.stringify({ type: 'user.updated', data })),
    )
    fc.assert(fc.property(anything, (body) => void decode(envelope(body), everything)))
  })
})

test.each(['', '-user', 'us er!', '*,?'])('the kinds "%s" are refused', (raw) => {
  expect(() => parseMirroredKinds(raw)).toThrow()
})

test('one-time codes are never stored', () => {
  expect(['email.created', 'sms.created', 'email', 'emails.created', 'user.created'].map(isNeverStored)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})

test("an event id is Svix' own, or a hash that fits the key", () => {
  expect(eventIdOf('msg_2bYZ0')).toBe('msg_2bYZ0')
  for (const odd of ['meta', 'msg_', 'msg_a:b', `msg_${'a'.repeat(61)}`, 'x'.repeat(10_000), 'msg_\u0000']) {
    expect(eventIdOf(odd)).toMatch(/^x_[\w-]{43}$/)
  }
})

test.each<[string, unknown]>([
  [
    '{"type":"user.created","data":{"id":"user_1"},"instance_id":"ins_1"}',
    { kind: 'event', type: 'user.created', objectId: 'user_1', userId: null, instanceId: 'ins_1' },
  ],
  ['{"type":"session.created","data":{"id":"sess_1","user_id":"user_1"}}', { objectId: 'sess_1', userId: 'user_1' }],
  ['{"type":"session.created","data":{"user_id":"no id, but a sentence"}}', { kind: 'event', userId: null }],
  ['{"type":"user.created"}', { kind: 'event', objectId: null, instanceId: null }],
  ['{"type":"user\\ud800.created"}', { kind: 'event', type: 'user\ufffd.created' }],
  ['{"type":"user.geändert"}', { type: 'user.geändert' }],
  ['{"type":"user.ge\\u00e4ndert😀"}', { type: 'user.geändert😀' }],
  ['{"type":"a.b","data":{"id":"ä\\ud83d\\ude00"},"instance_id":"ins_ë"}', { objectId: 'ä😀', instanceId: 'ins_ë' }],
  ['{"type":"user.created","data":{"id":"user_1","name":"Zoë 😀"}}', { objectId: 'user_1' }],
  ['\ufeff{"type":"user.created"}', { kind: 'not-an-event', code: 'invalid_json' }],
  ['\u00a0{"type":"user.created"}', { kind: 'not-an-event', code: 'invalid_json' }],
  ['{"type":7}', { kind: 'not-an-event', code: 'missing_type' }],
  ['[]', { kind: 'not-an-event', code: 'not_an_object' }],
  ['null', { kind: 'not-an-event', code: 'not_an_object' }],
  ['{"type":', { kind: 'not-an-event', code: 'invalid_json' }],
  ['', { kind: 'not-an-event', code: 'invalid_json' }],
])('peek reads %s as %o', (body, expected) => {
  expect(peek(Buffer.from(body))).toMatchObject(expected as object)
})

test('peek takes data of any shape, of whatever kind, and looks no deeper than for whom it is about', () => {
  const types = ['organizationMembership', 'organization', 'subscription', 'session', 'brand.new', '__proto__', '']
  const anything = fc.tuple(fc.constantFrom(...types), fc.jsonValue())
  fc.assert(
    fc.property(anything, ([kind, data]) => {
      expect(peek(Buffer.from(JSON.stringify({ type: `${kind}.created`, data })))).toMatchObject({ kind: 'event' })
    }),
  )
})

test('peek takes for JSON what is JSON when it is read as UTF-8, and reads the same of it', () => {
  const parts = [
    '{',
    '}',
    '"',
    ':',
    ',',
    '\\',
    '\\u00e4',
    '"type"',
    '"a.b"',
    '"data"',
    '"id"',
    '\n',
    ' ',
    'ä',
    '😀',
    '1',
  ]
  const pieces = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...parts).map((part) => Buffer.from(part)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)) },
  )
  const whole = fc.tuple(
    fc.constantFrom('', '{"type":"a.b","data":{"id":"'),
    fc.array(pieces),
    fc.constantFrom('', '"}}'),
  )
  fc.assert(
    fc.property(whole, ([head, middle, tail]) => {
      const body = Buffer.concat([Buffer.from(head), ...middle, Buffer.from(tail)])
      const seen = peek(body)
      const event = parsedOrNull(body.toString('utf8'))
      const isEvent = typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string'
      expect(seen.kind).toBe(isEvent && !Array.isArray(event) ? 'event' : 'not-an-event')
      if (seen.kind === 'event') expect(seen).toMatchObject(peek(Buffer.from(JSON.stringify(event))))
    }),
    { numRuns: 2_000 },
  )
})

function parsedOrNull(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return null
  }
}
