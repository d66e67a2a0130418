import { openMirror } from '@clerk-mirror/mirror'
import { type EraseResult, erase } from '@clerk-mirror/operations'
import { type EnvelopeKeys, openStoredEvents, parseEnvelopeKeys, parseRedisUrl } from '@clerk-mirror/queue/operate'
import { expect, inject, test } from 'vitest'
import { peek } from '../../../packages/events/src/peek.js'
import { openTestDatabase } from '../../support/mysql/database.js'
import { madeUpKey } from '../../support/queue/encryption-keys.js'
import { envelope, openTestQueue, type TestQueue } from '../../support/queue/queue.js'

const ADA = 'user_1'
const KEYS = parseEnvelopeKeys(madeUpKey('A'))
const NONE: EnvelopeKeys = new Map()

/** As ingest makes it of a body. */
function arrived(eventId: string, type: string, data: object) {
  const body = Buffer.from(JSON.stringify({ type, data }))
  const peeked = peek(body)
  if (peeked.kind !== 'event') throw new Error('no event')
  const { objectId, userId } = peeked
  return { ...envelope(eventId, { type, objectId, userId }), body }
}

/** Events that refer to her, by the reference member of each kind. */
const hers = [
  arrived('msg_user', 'user.updated', { id: ADA, email_addresses: [{ email_address: 'ada@example.com' }] }),
  arrived('msg_member', 'organizationMembership.created', { id: 'orgmem_1', public_user_data: { user_id: ADA } }),
  arrived('msg_session', 'session.created', { id: 'sess_1', user_id: ADA }),
  arrived('msg_payer', 'subscription.created', { id: 'csub_1', payer: { user_id: ADA } }),
  arrived('msg_new', 'brandNew.thing', { id: 'new_1', user_id: ADA }),
]
/** Events that name her where no kind looks, or by an address alone. */
const inPassing = [
  arrived('msg_invited', 'organizationInvitation.created', { id: 'orginv_1', public_inviter_data: { user_id: ADA } }),
  arrived('msg_invitee', 'organizationInvitation.created', { id: 'orginv_2', email_address: 'Ada@example.com' }),
  arrived('msg_deep', 'brandNew.thing', { id: 'new_2', deep: { owner: ADA } }),
]
/** An organization outlives its creator; another user's id begins like hers; an event without a user. */
const others = [
  arrived('msg_org', 'organization.updated', { id: 'org_1', created_by: ADA }),
  arrived('msg_bob', 'session.created', { id: 'sess_2', user_id: 'user_12' }),
  arrived('msg_odd', 'user.updated', { id: 7 }),
]

async function eraseAda(queue: TestQueue, keys: EnvelopeKeys): Promise<{ result: EraseResult; left: string[] }> {
  await using database = await openTestDatabase()
  await using mirror = openMirror(database.options)
  for (const event of [...hers, ...inPassing, ...others]) {
    expect(await queue.producer.enqueue(event)).toMatchObject({ kind: 'accepted' })
  }
  using events = await openStoredEvents(parseRedisUrl(inject('redisUrl')), [queue.partition], keys)
  using reactions = await openStoredEvents(parseRedisUrl(inject('redisUrl')), [])
  const result = await erase(mirror, events, { userId: ADA, actor: 'op@test', onWaiting: () => {}, reactions })
  return { result, left: await queue.redis.lrange(queue.partition.key('wait'), 0, -1) }
}

const idsOf = (events: readonly { eventId: string }[]) => events.map(({ eventId }) => eventId)

test('without keys, erase finds every event that is about the person, and says how many it could not look into', async () => {
  await using queue = await openTestQueue({ keys: KEYS })
  const { result, left } = await eraseAda(queue, NONE)
  const kept = [...inPassing, ...others]
  expect(left.toSorted()).toEqual(idsOf(kept).toSorted())
  expect(result).toMatchObject({ jobs: { waiting: hers.length }, unfinished: 0, unread: kept.length })
})

test('with the keys, erase finds those that name the person in passing too, as in events in clear', async () => {
  await using sealed = await openTestQueue({ keys: KEYS })
  await using clear = await openTestQueue()
  for (const queue of [sealed, clear]) {
    const { result, left } = await eraseAda(queue, KEYS)
    expect(left.toSorted()).toEqual(idsOf(others).toSorted())
    expect(result).toMatchObject({ jobs: { waiting: hers.length + inPassing.length }, unread: 0 })
  }
})
