import { type Delivery, history } from '@clerk-mirror/devstack'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const seeds = fc.nat(Number.MAX_SAFE_INTEGER)

const byEvent = (deliveries: readonly Delivery[]) => new Map(deliveries.map((delivery) => [delivery.eventId, delivery]))
const sorted = (deliveries: readonly Delivery[]) => deliveries.map(({ eventId, body }) => `${eventId} ${body}`).sort()
const bodies = (deliveries: readonly Delivery[]) => deliveries.map(({ body }) => JSON.parse(body))
const stamps = (deliveries: readonly Delivery[]): number[] => bodies(deliveries).map(({ timestamp }) => timestamp)

test('the same options give the same traffic, byte for byte', () => {
  const options = { users: 20, duplicates: 0.3, shuffle: true }
  fc.assert(
    fc.property(seeds, (seed) => {
      expect(history({ ...options, seed })).toEqual(history({ ...options, seed }))
    }),
    { numRuns: 30 },
  )
})

test('two seeds share no user and no event', () => {
  const distinct = fc.uniqueArray(seeds, { minLength: 2, maxLength: 2 })
  fc.assert(
    fc.property(distinct, (both) => {
      const [one, other] = both.map((seed) => history({ seed, users: 10 }).deliveries)
      const ids = new Set(one?.flatMap(({ eventId, objectId }) => [eventId, objectId]))
      for (const { eventId, objectId } of other ?? [])
        expect([ids.has(eventId), ids.has(objectId)]).toEqual([false, false])
    }),
    { examples: [[[1, 2 ** 32 + 1]]] },
  )
})

test('shuffling and repeating change neither the events nor their bytes', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const plain = history({ seed, users: 20 })
      const wild = history({ seed, users: 20, duplicates: 0.5, shuffle: true })
      expect(wild.events).toBe(plain.events)
      expect(sorted([...byEvent(wild.deliveries).values()])).toEqual(sorted(plain.deliveries))
      const repeated = new Set(sorted(wild.deliveries))
      expect(repeated.size).toBe(plain.events)
    }),
    { numRuns: 30 },
  )
})

test('shuffled traffic tells things out of order, in another order for every seed', () => {
  const places = [1, 2].map((seed) => {
    const told = stamps(history({ seed, users: 50, shuffle: true }).deliveries)
    const inOrder = [...told].sort((a, b) => a - b)
    return told.map((stamp) => inOrder.indexOf(stamp))
  })
  const inPlace = places[0]?.filter((place, at) => place === at).length
  expect(inPlace).toBeLessThan(10)
  expect(places[0]?.slice(0, 20)).not.toEqual(places[1]?.slice(0, 20))
})

test('about the asked share of events is delivered again, and about the asked share of people is deleted', () => {
  const { deliveries, events } = history({ seed: 1, users: 2000, duplicates: 0.3, deletes: 0.1 })
  const times = new Map<string, number>()
  for (const { eventId } of deliveries) times.set(eventId, (times.get(eventId) ?? 0) + 1)
  const again = [...times.values()].filter((count) => count > 1).length
  expect(again / events).toBeCloseTo(0.3, 1)
  const deleted = new Set(deliveries.filter(({ type }) => type === 'user.deleted').map(({ objectId }) => objectId))
  expect(deleted.size / 2000).toBeCloseTo(0.1, 1)
})

test('unshuffled traffic tells everything in the order in which it happened', () => {
  const told = stamps(history({ seed: 2, users: 100 }).deliveries)
  expect(told).toEqual([...told].sort((a, b) => a - b))
})

test('ids, times and sizes are those that Clerk and Svix send', () => {
  const { deliveries } = history({ seed: 3, users: 500, instanceId: 'ins_mine' })
  for (const { eventId, type, objectId, body } of deliveries) {
    expect(eventId).toMatch(/^msg_[0-9A-Za-z]{27}$/)
    expect(objectId).toMatch(/^user_[0-9A-Za-z]{27}$/)
    const event = JSON.parse(body)
    expect(event).toMatchObject({
      object: 'event',
      type,
      instance_id: 'ins_mine',
      data: { object: 'user', id: objectId },
    })
    const bytes = Buffer.byteLength(body)
    if (type === 'user.deleted') expect(bytes).toBeLessThan(500)
    else {
      expect(event.timestamp - event.data.updated_at).toBeGreaterThanOrEqual(4)
      expect(event.timestamp - event.data.updated_at).toBeLessThanOrEqual(58)
      expect(bytes).toBeGreaterThan(900)
      expect(bytes).toBeLessThan(4000)
    }
  }
})

test('some events of a user share their updated_at, and some updates are stamped after the delete', () => {
  const events = bodies(history({ seed: 4, users: 500, deletes: 0.5 }).deliveries)
  const versions = events.map(({ data }) => `${data.id} ${data.updated_at}`)
  expect(new Set(versions).size).toBeLessThan(versions.length)
  const deletedAt = new Map(
    events.filter(({ data }) => data.deleted).map(({ data, timestamp }) => [data.id, timestamp]),
  )
  const late = events.filter(({ data, timestamp }) => timestamp > (deletedAt.get(data.id) ?? Number.POSITIVE_INFINITY))
  expect(late.length).toBeGreaterThan(0)
})

test('a few dozen people already show every rarity that a mirror must survive', () => {
  const people = bodies(history({ seed: 5, users: 36, updates: 0, deletes: 0 }).deliveries).map(({ data }) => data)
  const seen: Record<string, (person: (typeof people)[number]) => boolean> = {
    'no names': (person) => person.first_name === null && person.last_name === null,
    'one name': (person) => (person.first_name === null) !== (person.last_name === null),
    'no user name': (person) => person.username === null,
    'no address': (person) => person.email_addresses.length === 0,
    'a primary address that is not in the list': (person) =>
      person.primary_email_address_id !== null &&
      !person.email_addresses.some(({ id }: { id: string }) => id === person.primary_email_address_id),
    'addresses and no primary one': (person) =>
      person.email_addresses.length > 0 && person.primary_email_address_id === null,
    'a primary address that is not the first': (person) =>
      person.email_addresses[1]?.id !== undefined && person.email_addresses[1].id === person.primary_email_address_id,
    emoji: (person) => /\p{Extended_Pictographic}/u.test(person.first_name ?? ''),
    'half an emoji': (person) => !(person.first_name ?? '').isWellFormed(),
    'Chinese, Japanese or Korean': (person) => /[\u4e00-\u9fff\uac00-\ud7a3]/.test(person.first_name ?? ''),
    'a name longer than its column': (person) => [...(person.first_name ?? '')].length > 120,
    'an image URL longer than its column': (person) => person.image_url.length > 500,
    'an OAuth account': (person) => person.external_accounts.length > 0,
    'backup codes': (person) => person.phone_numbers[0]?.backup_codes?.length > 0,
  }
  for (const [rarity, has] of Object.entries(seen)) expect(people.some(has), rarity).toBe(true)
})
