import { addressesOf, asJsonObject, type Person, searchTextsOf, tieTo } from '@clerk-mirror/events'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const person = (...addresses: string[]): Person => ({
  userId: 'user_1',
  addresses: { own: new Set(addresses), unverified: new Set() },
})

test('addresses are read from the lists of the user and of their accounts, and not from metadata', () => {
  const user = {
    email_addresses: [
      { email_address: 'A@x.y' },
      { email_address: 'B@x.y', verification: { status: 'unverified' } },
      7,
    ],
    phone_numbers: [{ phone_number: '+1555', verification: { status: 'verified' } }],
    external_accounts: [{ email_address: 'c@x.y', verification: { status: 'verified' } }, null],
    unsafe_metadata: { email_addresses: [{ email_address: 'd@x.y' }] },
  }
  const { own, unverified } = addressesOf([JSON.stringify(user), 'no JSON', '[]'])
  expect([...own]).toEqual(['a@x.y', '+1555', 'c@x.y'])
  expect([...unverified]).toEqual(['b@x.y'])
})

test('an address that is verified once counts as verified', () => {
  const entry = (status: string) =>
    JSON.stringify({ email_addresses: [{ email_address: 'a@x.y', verification: { status } }] })
  expect(addressesOf([entry('unverified'), entry('verified')]).unverified.size).toBe(0)
})

test('an address is a word of its own: neither part of a longer one nor of another domain', () => {
  const tie = (note: string) => tieTo(person('ada@x.y'), { kind: 'k', id: 'k_1', data: { note } })?.kind ?? null
  for (const text of ['ask ada@x.y', '<ada@x.y>', 'ada@x.y.', '"ADA@X.Y"']) expect(tie(text)).toBe('mention')
  for (const text of ['b.ada@x.y', 'b+ada@x.y', 'ada@x.yz', 'ada@x.y.z', 'ada@x.y-z']) expect(tie(text)).toBeNull()
  expect(tie('Ada@x.Y')).toBe('theirs')
})

test('a name of a member may mention the person; nesting as deep as the text is long ends', () => {
  const deep = `{"a":${'['.repeat(5_000)}{"ada@x.y":1}${']'.repeat(5_000)}}`
  const tie = tieTo(person('ada@x.y'), { kind: 'k', id: 'k_1', data: asJsonObject(deep) })
  expect(tie).toEqual({ kind: 'theirs' })
})

test('of each text that names the person, the search finds a fragment, whatever JSON writes in another way', () => {
  const address = fc
    .tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.domain())
    .map(([local, domain]) => `${local}@${domain}`)
  fc.assert(
    fc.property(address, (written) => {
      const own = person(written.toLowerCase())
      // As Go writes it, which escapes more than JavaScript.
      const json = JSON.stringify(written).replace(
        /[<>&\u2028\u2029]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      const lower = json.toLowerCase()
      expect(searchTextsOf(own).some((fragment) => lower.includes(fragment))).toBe(true)
    }),
  )
})
