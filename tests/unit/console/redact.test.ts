import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HIDDEN, redactPayload } from '../../../apps/console/src/redact.js'

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
      unsafe_metadata: HIDDEN,
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

test('no text with a blank, an @ or a capital letter first survives, wherever it stands', () => {
  const marker = fc.constantFrom('ada lovelace', 'ada@example.com', 'Ada', '+44 1234')
  fc.assert(
    fc.property(fc.jsonValue(), marker, fc.string(), (value, personal, name) => {
      const shown = JSON.stringify(redactPayload(JSON.stringify({ data: [value, { [name]: personal }, [personal]] })))
      expect(shown.replaceAll(JSON.stringify(name), '')).not.toContain(`:"${personal}"`)
    }),
  )
})
