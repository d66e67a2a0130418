import { erase } from '@clerk-mirror/operations'
import type { Delivery, Disposition } from '@clerk-mirror/queue/consume'
import { expect, test } from 'vitest'
import { decodedEvent, userCreated, userDeleted } from '../../support/builders.js'
import { openOracle } from '../../support/invariants.js'
import { keysHolding, openWorld, type World } from '../../support/mysql/erase-world.js'
import { done, envelope } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

const ADA = 'user_1'
const EMAIL = 'Ada.L@Example.com'
const PHONE = '+15550100'
/** Written in JSON as a&b\u0026…, as Clerk's Go prints it. */
const ODD_EMAIL = 'a&da@example.org'
const PATIENCE_MS = 20_000

const ada = (data: object = {}) =>
  userCreated(ADA, {
    data: {
      email_addresses: [
        { id: 'idn_1', email_address: EMAIL, verification: { status: 'verified' } },
        { id: 'idn_2', email_address: ODD_EMAIL, verification: null },
        { id: 'idn_3', email_address: 'shared@example.com', verification: { status: 'unverified' } },
      ],
      phone_numbers: [{ id: 'idn_4', phone_number: PHONE }],
      external_accounts: [{ email_address: 'ada@gmail.example' }],
      ...data,
    },
  })

const invitation = (id: string, email: string, data: object = {}) =>
  decodedEvent('organizationInvitation.created', id, {
    data: { organization_id: 'org_1', email_address: email, ...data },
  })

const thing = (id: string, data: object) => decodedEvent('brandNew.thing', id, { data })

const eraseAda = async (world: World, options: { also?: string[]; onWaiting?: () => void } = {}) => {
  const result = await erase(world.mirror, world.events, {
    ...{ userId: ADA, actor: 'op@test', onWaiting: () => {}, reactions: world.reactions, patienceMs: PATIENCE_MS },
    ...options,
  })
  if (result.kind !== 'erased') throw new Error('no user')
  return result
}

const living = async ({ database }: World) =>
  (
    await database.query<{ id: string }>(
      'SELECT id FROM clerk_objects WHERE deleted_at IS NULL AND data IS NOT NULL ORDER BY id',
    )
  ).map(({ id }) => id)

const traces = async ({ database }: World, ...texts: string[]) => (await openOracle(database.query)).traces(texts)

test('erase removes what names the person by an address alone, whatever its case, and nothing of others', async () => {
  await using world = await openWorld()
  await world.mirror.apply([
    ada(),
    invitation('orginv_hers', EMAIL.toUpperCase(), { inviter_id: 'user_2' }),
    invitation('orginv_odd', ODD_EMAIL),
    invitation('orginv_others', 'can.ada.l@example.com'),
    invitation('orginv_unverified', 'shared@example.com'),
    decodedEvent('waitlistEntry.created', 'wle_hers', { data: { email_address: 'ada.l@example.com' } }),
    decodedEvent('waitlistEntry.created', 'wle_gmail', { data: { email_address: 'ada@gmail.example' } }),
    decodedEvent('waitlistEntry.created', 'wle_others', { data: { email_address: 'bob@example.com' } }),
    thing('new_phone', { deep: [{ call: PHONE }] }),
    thing('new_subject', { subject: ADA }),
    thing('new_bob', { user_id: 'user_2', deep: [{ call: PHONE }] }),
    userCreated('user_2', { data: { unsafe_metadata: { manager: EMAIL } } }),
  ])
  const result = await eraseAda(world)
  expect(result).toMatchObject({
    objects: 7,
    rows: { users: 1, organization_invitations: 2 },
    addressesKnown: true,
    mentioned: 3,
  })
  expect(result.mentions).toEqual([
    { in: 'object', id: 'new_bob', kind: 'brandNew', members: ['deep'] },
    { in: 'object', id: 'orginv_unverified', kind: 'organizationInvitation', members: ['email_address'] },
    { in: 'object', id: 'user_2', kind: 'user', members: ['unsafe_metadata'] },
  ])
  expect(await living(world)).toEqual([...['new_bob', 'orginv_others', 'orginv_unverified', 'user_2', 'wle_others']])
  const rows = await world.database.query('SELECT clerk_id FROM organization_invitations ORDER BY clerk_id')
  expect(rows).toEqual([{ clerk_id: 'orginv_others' }, { clerk_id: 'orginv_unverified' }])
  expect(await traces(world, 'a&da', 'a\\u0026da', 'gmail.example', 'ADA.L')).toEqual([])
  const [action] = await world.database.query<{ counts: string }>('SELECT counts FROM operator_actions')
  expect(JSON.parse(String(action?.counts))).toMatchObject({ objects: 7, users: 1, organization_invitations: 2 })
})

test('an object that mentions the person elsewhere is listed by id and members, and goes when an operator decides so', async () => {
  await using world = await openWorld()
  await world.mirror.apply([
    ada(),
    thing('new_deep', { deep: { owner: ADA } }),
    thing('new_text', { note: `call ${EMAIL}, today`, title: 'x' }),
    thing('new_team', { organization_id: 'org_1', made_by: ADA }),
    thing('new_near', { note: `x${EMAIL}`, other: 'user_12' }),
    decodedEvent('organization.created', 'org_1', { data: { created_by: ADA, public_metadata: { contact: EMAIL } } }),
    decodedEvent('organizationDomain.created', 'orgdmn_1', { data: { affiliation_email_address: EMAIL } }),
    invitation('orginv_by_her', 'bob@example.com', { inviter_id: ADA }),
  ])
  const first = await eraseAda(world)
  expect(first.mentions.map(({ id }) => id)).toEqual(['new_deep', 'new_team', 'new_text', 'org_1', 'orgdmn_1'])
  expect(first.mentions).toContainEqual({ in: 'object', id: 'new_text', kind: 'brandNew', members: ['note'] })
  expect(first.mentions).toContainEqual({
    in: 'object',
    id: 'org_1',
    kind: 'organization',
    members: ['public_metadata'],
  })
  // The addresses went with the user; objects with the id are still found, and removed where an event decided them.
  const second = await eraseAda(world, { also: ['new_deep', 'new_text', 'org_1', 'orginv_by_her', 'new_never'] })
  expect(second).toMatchObject({ objects: 3, addressesKnown: false })
  expect(second.mentions.map(({ id }) => id)).toEqual(['new_team'])
  expect(await living(world)).toEqual(['new_near', 'new_team', 'org_1', 'orgdmn_1'])
})

test('events and dead letters that hold an address go too, those that mention it are listed, and those of others stay', async () => {
  await using world = await openWorld()
  const { queue } = world
  await world.mirror.apply([ada()])
  const event = (id: string, type: string, data: object & { id: string }) =>
    envelope(id, { type, objectId: data.id, body: JSON.stringify({ type, data }) })
  const hers = [
    event('msg_invited', 'organizationInvitation.created', { id: 'orginv_1', email_address: EMAIL } as never),
    event('msg_dead', 'waitlistEntry.created', { id: 'wle_1', email_address: EMAIL.toLowerCase() } as never),
    // An address that only a waiting event tells of.
    event('msg_user', 'user.updated', { id: ADA, email_addresses: [{ email_address: 'new@ada.example' }] } as never),
    event('msg_new', 'waitlistEntry.created', { id: 'wle_2', email_address: 'new@ada.example' } as never),
  ]
  const others = [
    event('msg_note', 'brandNew.thing', { id: 'new_1', note: `ask ${EMAIL}` } as never),
    event('msg_bob', 'user.updated', { id: 'user_2', unsafe_metadata: { boss: ADA, mail: EMAIL } } as never),
    event('msg_far', 'waitlistEntry.created', { id: 'wle_3', email_address: 'far@example.com' } as never),
  ]
  for (const each of [...hers, ...others])
    expect(await queue.producer.enqueue(each)).toMatchObject({ kind: 'accepted' })
  await queue.redis.lrem(queue.partition.key('wait'), 1, 'msg_dead')
  await queue.redis.zadd(queue.partition.key('failed'), 1, 'msg_dead')
  const result = await eraseAda(world)
  expect(result).toMatchObject({ jobs: { waiting: 3, dead: 1 }, unfinished: 0, mentioned: 2 })
  expect(result.mentions.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
    { in: 'event', id: 'msg_bob', kind: 'user.updated' },
    { in: 'event', id: 'msg_note', kind: 'brandNew.thing' },
  ])
  expect((await queue.redis.lrange(queue.partition.key('wait'), 0, -1)).sort()).toEqual([
    'msg_bob',
    'msg_far',
    'msg_note',
  ])
  expect(await keysHolding(queue, 'new@ada.example')).toEqual([])
})

test('an invitation that a worker was just applying is removed when it has been', async () => {
  await using world = await openWorld()
  await world.mirror.apply([ada()])
  const gate = latch()
  const body = JSON.stringify({ type: 'waitlistEntry.created', data: { id: 'wle_1', email_address: EMAIL } })
  await world.queue.producer.enqueue(envelope('msg_1', { type: 'waitlistEntry.created', objectId: 'wle_1', body }))
  const handle = async (batch: readonly Delivery[]): Promise<Disposition[]> => {
    await gate.opened
    await world.mirror.apply([
      decodedEvent('waitlistEntry.created', 'wle_1', { id: 'msg_1', data: { email_address: EMAIL } }),
    ])
    return batch.map(() => done)
  }
  const worker = world.queue.work({ handle })
  await until(() => worker.seen.handled.flat().length === 1)
  expect(await eraseAda(world, { onWaiting: gate.open })).toMatchObject({ objects: 2, unfinished: 0 })
  expect(await living(world)).toEqual([])
})

test("after Clerk's own delete the addresses are unknown, and erase says so", async () => {
  await using world = await openWorld()
  await world.mirror.apply([ada(), invitation('orginv_hers', EMAIL)])
  await world.mirror.apply([userDeleted(ADA, { at: 2000 })])
  await world.queue.producer.enqueue(
    envelope('msg_del', { type: 'user.deleted', objectId: ADA, body: `{"data":{"id":"${ADA}"}}` }),
  )
  expect(await eraseAda(world)).toMatchObject({ addressesKnown: false, objects: 0 })
  expect(await living(world)).toEqual(['orginv_hers'])
})

test('an erase that was interrupted before the tombstone knows the addresses again; objects beyond one page are found', async () => {
  await using world = await openWorld()
  const many = Array.from({ length: 2_100 }, (_, n) => thing(`new_${String(n).padStart(5, '0')}`, { n }))
  await world.mirror.apply([ada(), thing('new_02050x', { mail: EMAIL }), thing('zzz', { mail: EMAIL })])
  for (let n = 0; n < many.length; n += 300) await world.mirror.apply(many.slice(n, n + 300))
  const begun = await world.mirror.beginErase({ userId: ADA, actor: 'op@test' })
  expect(begun).toMatchObject({ kind: 'begun', data: expect.stringContaining(PHONE) })
  const progress: number[] = []
  const result = await erase(world.mirror, world.events, {
    ...{ userId: ADA, actor: 'op@test', onWaiting: () => {}, reactions: world.reactions },
    onProgress: ({ objects }) => progress.push(objects),
  })
  expect(result).toMatchObject({ objects: 3, addressesKnown: true })
  expect(progress).toEqual([1_000, 2_000, 2_103])
})

test('a user with more objects than one transaction may remove is erased page by page', async () => {
  await using world = await openWorld()
  const sessions = Array.from({ length: 1_200 }, (_, n) =>
    decodedEvent('session.created', `sess_${n}`, { data: { user_id: ADA } }),
  )
  await world.mirror.apply([ada()])
  for (let n = 0; n < sessions.length; n += 300) await world.mirror.apply(sessions.slice(n, n + 300))
  expect(await eraseAda(world)).toMatchObject({ objects: 1_201 })
  expect(await living(world)).toEqual([])
  const [action] = await world.database.query<{ counts: string }>('SELECT counts FROM operator_actions')
  expect(JSON.parse(String(action?.counts))).toMatchObject({ objects: 1_201, users: 1 })
})
