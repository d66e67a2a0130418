import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HIDDEN, redactPayload } from '../../../apps/console/src/pages/redact.js'
import { CONTAINERS, COUNTS, FLAGS, IDS, TIMES, WORDS } from '../../../apps/console/src/pages/safe-members.js'

test('the shape, ids, times and words of Clerk stay; names, addresses and metadata do not', () => {
  const body = {
    type: 'user.created',
    object: 'event',
    timestamp: 1_700_000_000_000,
    instance_id: 'ins_2abcdefghijk',
    data: {
      id: 'user_2abcdefghijk',
      first_name: 'Ada',
      external_id: 'user_adalovelace',
      created_at: 1_700_000_000_000,
      banned: false,
      image_url: null,
      email_addresses: [
        { id: 'idn_2abcdefghijk', email_address: 'ada@example.com', verification: { status: 'verified' } },
      ],
      phone: 441234567890,
      unsafe_metadata: { 'ada@example.com': true },
    },
  }
  expect(redactPayload(JSON.stringify(body))).toEqual({
    type: 'user.created',
    object: 'event',
    timestamp: 1_700_000_000_000,
    instance_id: 'ins_2abcdefghijk',
    data: {
      id: 'user_2abcdefghijk',
      first_name: HIDDEN,
      external_id: HIDDEN,
      created_at: 1_700_000_000_000,
      banned: false,
      image_url: null,
      email_addresses: [{ id: 'idn_2abcdefghijk', email_address: HIDDEN, verification: { status: 'verified' } }],
      phone: `${HIDDEN} (a number)`,
      unsafe_metadata: `${HIDDEN} (an object)`,
    },
  })
})

test('an id that is no id is hidden, and what kind of value it was is still seen', () => {
  expect(redactPayload('{"data":{"id":42}}')).toEqual({ data: { id: `${HIDDEN} (a number)` } })
  expect(redactPayload('{"data":{"id":"ada@example.com"}}')).toEqual({ data: { id: HIDDEN } })
})

test('a body that is no JSON is hidden whole', () => {
  expect(redactPayload('ada@example.com')).toBe(`${HIDDEN} (no JSON, 15 characters)`)
})

test('what is not on the list is hidden whatever it is called, and what is on it where it does not look it', () => {
  const event = {
    type: 'ada.lovelace@example',
    data: {
      // As Clerk might call a member one day, and as ids, moments, counts, flags and words are called.
      passport_id: 'pass_AB12345678',
      born_at: -4_857_000_000_000,
      children_count: 3,
      is_pregnant: true,
      status: 'divorced',
      role: 'org:informant',
      object: 'ada',
      publicMetadata: { city: 'London' },
      addresses: ['12 St James’s Square'],
      user_id: 'ada lovelace',
      Ada: 'x',
      'ada@example.com': 1,
      created_at: '12 St James’s Square',
      banned: 'ada',
    },
  }
  expect(redactPayload(JSON.stringify(event))).toEqual({
    type: HIDDEN,
    data: {
      passport_id: HIDDEN,
      born_at: `${HIDDEN} (a number)`,
      children_count: `${HIDDEN} (a number)`,
      is_pregnant: `${HIDDEN} (a boolean)`,
      status: HIDDEN,
      role: HIDDEN,
      object: HIDDEN,
      publicMetadata: `${HIDDEN} (an object)`,
      [HIDDEN]: `${HIDDEN} (a number)`,
      addresses: `${HIDDEN} (a list)`,
      user_id: HIDDEN,
      created_at: HIDDEN,
      banned: HIDDEN,
    },
  })
})

const SAFE_NAMES = [...IDS, ...TIMES, ...COUNTS, ...FLAGS, ...WORDS.keys(), ...CONTAINERS]

test('no member of any other name shows its value, however deep it lies', () => {
  const name = fc
    .string({ unit: fc.constantFrom('_', 'a', 'd', 'i', 't', 's') })
    .filter((each) => !SAFE_NAMES.includes(each))
  const value = fc.oneof(
    fc.constantFrom('SECRET', 'user_2abcdefghijk', 'active'),
    fc.constant(1_700_000_000_001),
    fc.constant(true),
  )
  fc.assert(
    fc.property(name, value, fc.subarray([...CONTAINERS]), (member, hiddenValue, path) => {
      const inner: unknown = { [member]: hiddenValue, also: { [member]: hiddenValue }, list: [hiddenValue] }
      const event = path.reduceRight((nested, container) => ({ [container]: nested }), inner)
      expect(JSON.stringify(redactPayload(JSON.stringify(event)))).not.toContain(JSON.stringify(hiddenValue))
    }),
  )
})

test('no text with a blank, an @ or a capital letter first survives, wherever it stands', () => {
  const marker = fc.constantFrom('ada lovelace', 'ada@example.com', 'Ada', '+44 1234')
  fc.assert(
    fc.property(fc.jsonValue(), marker, fc.string(), (value, personal, name) => {
      const shown = JSON.stringify(redactPayload(JSON.stringify({ data: [value, { [name]: personal }, [personal]] })))
      expect(shown).not.toContain(JSON.stringify(personal))
    }),
  )
})
