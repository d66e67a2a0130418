import { differences, type Expected, expectedTables, type Found, history } from '@clerk-mirror/devstack'
import { describe, expect, test } from 'vitest'

const ID = 'user_ada'

interface Told {
  eventId?: string
  type?: string
  timestamp?: number | undefined
  data?: Record<string, unknown>
}

function told({ eventId = 'msg_1', type = 'user.updated', timestamp, data = {} }: Told) {
  return { eventId, body: JSON.stringify({ type, timestamp, data: { id: ID, email_addresses: [], ...data } }) }
}

const objectAfter = (...events: Told[]) => expectedTables(events.map(told)).objects.get(ID)
const rowAfter = (...events: Told[]) => expectedTables(events.map(told)).users.get(ID)

describe('which event wins', () => {
  const at = (eventId: string, updatedAt: number | undefined, timestamp?: number): Told => ({
    eventId,
    timestamp,
    data: { updated_at: updatedAt },
  })

  test.each([
    ['the later updated_at, whatever the envelope says', at('msg_b', 2e12, 1e12), at('msg_a', 1e12, 3e12)],
    ['the later timestamp when updated_at is the same', at('msg_a', 1e12, 3e12), at('msg_b', 1e12, 2e12)],
    ['the greater event id, bytewise, when both are the same', at('msg_a', 1e12, 1e12), at('msg_Z', 1e12, 1e12)],
    ['a missing updated_at counts as the timestamp', at('msg_a', undefined, 3e12), at('msg_b', 2e12, 2e12)],
    ['a missing timestamp counts as updated_at', at('msg_a', 2e12), at('msg_b', 2e12, 1e12)],
    ['a timestamp in seconds is one in milliseconds', at('msg_a', undefined, 3e9), at('msg_b', 2e12)],
    ['any time is later than none', at('msg_a', 1), at('msg_b', undefined)],
  ])('%s', (_rule, winner, loser) => {
    expect(objectAfter(winner, loser)?.eventId).toBe(winner.eventId)
    expect(objectAfter(loser, winner)?.eventId).toBe(winner.eventId)
  })

  test('a delete wins against versions before and after it, and leaves no row', () => {
    const deletion: Told = { eventId: 'msg_gone', type: 'user.deleted', timestamp: 2e12 }
    const events = [at('msg_1', 1e12), deletion, at('msg_2', 3e12)]
    for (const order of [events, [...events].reverse()]) {
      expect(objectAfter(...order)).toMatchObject({ eventId: 'msg_gone', deleted: true })
      expect(rowAfter(...order)).toBeUndefined()
    }
  })

  test('the order and the number of deliveries change nothing', () => {
    const inOrder = { seed: 6, users: 20, deletes: 0.3 }
    const expected = expectedTables(history(inOrder).deliveries)
    for (let run = 0; run < 30; run += 1) {
      // Another share of duplicates draws another order.
      const { deliveries } = history({ ...inOrder, duplicates: run / 30, shuffle: true })
      expect(differences(expected, foundFrom(expectedTables(deliveries)))).toEqual([])
    }
  })
})

describe('what stands in the row', () => {
  test('the newest event counts as a whole: a field that it lacks is not taken from an older one', () => {
    const older: Told = { eventId: 'msg_1', data: { updated_at: 1e12, first_name: 'Ada', username: 'ada' } }
    const newer: Told = { eventId: 'msg_2', data: { updated_at: 2e12, first_name: 'Ada' } }
    expect(rowAfter(older, newer)).toMatchObject({ first_name: 'Ada', username: null })
  })

  test.each([
    ['Ada', 'Lovelace', 'Ada Lovelace'],
    [null, 'Lovelace', 'Lovelace'],
    ['Ada', '', 'Ada'],
    [null, null, null],
  ])('the names %s and %s are displayed as %s', (first, last, shown) => {
    expect(rowAfter({ data: { first_name: first, last_name: last } })?.['display_name']).toBe(shown)
  })

  test('the address is the one that the primary id names, or none', () => {
    const emails = [
      { id: 'idn_1', email_address: 'old@example.com' },
      { id: 'idn_2', email_address: 'new@example.com' },
    ]
    const emailFor = (primary: string | null) =>
      rowAfter({ data: { email_addresses: emails, primary_email_address_id: primary } })?.['email']
    expect([emailFor('idn_2'), emailFor('idn_3'), emailFor(null)]).toEqual(['new@example.com', null, null])
  })

  test('a name is cut between characters, never inside one; a URL that does not fit is left out', () => {
    const row = rowAfter({ data: { first_name: '🦊'.repeat(121), image_url: `https://${'x'.repeat(493)}` } })
    expect(row?.['first_name']).toBe('🦊'.repeat(120))
    expect(row?.['img_url']).toBeNull()
    expect(rowAfter({ data: { image_url: `https://${'x'.repeat(492)}` } })?.['img_url']).toHaveLength(500)
  })

  test('half an emoji becomes the replacement character', () => {
    expect(rowAfter({ data: { first_name: 'A\ud83d' } })?.['first_name']).toBe('A\ufffd')
  })
})

describe('what counts as a difference', () => {
  const delivered = [
    told({ data: { first_name: 'Ada', public_metadata: { motto: 'a\ud83d', seats: 3 }, phone_numbers: [] } }),
    { ...told({ eventId: 'msg_2', type: 'user.deleted', data: { id: 'user_gone' } }) },
  ]
  const expected = expectedTables(delivered)

  test('tables as the model says differ in nothing, however the JSON is spaced', () => {
    const found = foundFrom(expected)
    const row = found.users.get(ID) ?? {}
    row['public_metadata'] = '{ "motto": "a\\ufffd", "seats": 3 }'
    expect(differences(expected, found)).toEqual([])
  })

  test('each wrong column is named with its user', () => {
    const found = foundFrom(expected)
    Object.assign(found.users.get(ID) ?? {}, { first_name: 'Bob', public_metadata: '{"seats":4}' })
    Object.assign(found.objects.get('user_gone') ?? {}, { deleted: false, data: '{"id":"user_gone"}' })
    expect(differences(expected, found).map(({ clerkId, column }) => `${clerkId} ${column}`)).toEqual([
      `${ID} public_metadata`,
      `${ID} first_name`,
      'user_gone deleted_at',
      'user_gone data',
    ])
  })

  test('a row too few, a row too many and a missing object row are each one difference', () => {
    const found = foundFrom(expected)
    found.users.delete(ID)
    found.users.set('user_gone', {})
    found.objects.delete('user_gone')
    expect(differences(expected, found)).toEqual([
      { clerkId: ID, column: 'users', expected: '"a row"', found: 'nothing' },
      { clerkId: 'user_gone', column: 'users', expected: 'nothing', found: '"a row"' },
      { clerkId: 'user_gone', column: 'clerk_objects', expected: '"an object row"', found: 'nothing' },
    ])
  })

  test('a backup code in the stored text is a difference', () => {
    const phone = { id: 'idn_1', backup_codes: ['s3cret'] }
    const withPhone = expectedTables([told({ data: { phone_numbers: [phone] } })])
    const found = foundFrom(withPhone)
    const stored = (codes: unknown) =>
      JSON.stringify({ id: ID, email_addresses: [], phone_numbers: [{ ...phone, backup_codes: codes }] })
    Object.assign(found.objects.get(ID) ?? {}, { data: stored(null) })
    expect(differences(withPhone, found)).toEqual([])
    Object.assign(found.objects.get(ID) ?? {}, { data: stored(['s3cret']) })
    expect(differences(withPhone, found)).toHaveLength(1)
  })
})

/** Tables that hold exactly the expected rows. */
function foundFrom(expected: Expected): Found {
  const users = new Map([...expected.users].map(([id, row]) => [id, { ...row }]))
  const objects = [...expected.objects].map(([id, object]) => {
    const data = object.deleted
      ? null
      : JSON.stringify(object.data, (key, value) => (key === 'backup_codes' ? null : value))
    return [id, { ...object, data }] as const
  })
  return { users, objects: new Map(objects) }
}
