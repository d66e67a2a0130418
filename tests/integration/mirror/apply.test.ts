import { type DecodedEvent, type Mirror, openMirror } from '@clerk-mirror/mirror'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodedEvent, membership, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

let database: TestDatabase
let mirror: Mirror
beforeAll(async () => {
  database = await openTestDatabase()
  mirror = openMirror(database.options)
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

let people = 0
const somebody = () => `user_${people++}`

/** Applies one event at a time, as a worker with batches of one would. */
async function apply(...events: DecodedEvent[]): Promise<string[]> {
  const outcomes: string[] = []
  for (const event of events) outcomes.push(...(await applyTogether(event)))
  return outcomes
}

async function applyTogether(...events: DecodedEvent[]): Promise<string[]> {
  const results = await mirror.apply(events)
  return results.map((result) => (result.kind === 'decided' ? result.outcome : `failed ${result.failure.code}`))
}

type UserRow = { [column: string]: unknown; display_name: string | null; tagline: string | null }
const userRow = async (id: string) =>
  (await database.query<UserRow>('SELECT * FROM users WHERE clerk_id = ?', [id]))[0] ?? null
type ObjectRow = {
  deleted_at: Date | null
  tombstone_source: string | null
  data: string | null
  event_id: string | null
  user_id: string | null
}
const objectRow = async (id: string) => {
  const [row] = await database.query<ObjectRow>('SELECT * FROM clerk_objects WHERE id = ?', [id])
  return row ?? null
}
const outcomeOf = async (event: DecodedEvent) =>
  (
    await database.query<{ outcome: string }>('SELECT outcome FROM webhook_events WHERE event_id = ?', [
      event.entry.eventId,
    ])
  )[0]?.outcome

test('a user is created, updated and deleted', async () => {
  const ada = somebody()
  expect(await apply(userCreated(ada, { at: 1, data: { first_name: 'Ada', last_name: 'Lovelace' } }))).toEqual([
    'applied',
  ])
  expect(await userRow(ada)).toMatchObject({ display_name: 'Ada Lovelace' })
  expect(await apply(userUpdated(ada, { at: 2, data: { first_name: 'Augusta' } }))).toEqual(['applied'])
  expect(await userRow(ada)).toMatchObject({ display_name: 'Augusta', last_name: null })
  expect(await apply(userDeleted(ada, { at: 3 }))).toEqual(['applied'])
  expect(await userRow(ada)).toBeNull()
  expect(await objectRow(ada)).toMatchObject({ tombstone_source: 'clerk', data: null })
})

test('a late update does not undo a newer one', async () => {
  const ada = somebody()
  const events = [
    userUpdated(ada, { at: 2, data: { username: 'new' } }),
    userUpdated(ada, { at: 1, data: { username: 'old' } }),
  ]
  expect(await apply(...events)).toEqual(['applied', 'stale'])
  expect(await userRow(ada)).toMatchObject({ username: 'new' })
})

test('a late update does not bring a deleted user back, not even one with a newer version', async () => {
  const ada = somebody()
  expect(await apply(userDeleted(ada, { at: 5 }), userCreated(ada, { at: 1 }), userUpdated(ada, { at: 9 }))).toEqual([
    'applied',
    'tombstoned',
    'tombstoned',
  ])
  expect(await userRow(ada)).toBeNull()
  expect(await objectRow(ada)).toMatchObject({ data: null })
})

test('a delete that is older than what is stored deletes all the same', async () => {
  const ada = somebody()
  expect(await apply(userUpdated(ada, { at: 9 }), userDeleted(ada, { at: 1 }))).toEqual(['applied', 'applied'])
  expect(await userRow(ada)).toBeNull()
})

test('of two versions with the same updated_at the later timestamp wins, then the greater event id, in any order', async () => {
  const versions = [
    { id: 'a', at: 1, timestamp: 5, data: { username: 'first' } },
    { id: 'A', at: 1, timestamp: 6, data: { username: 'second' } },
    { id: 'b', at: 1, timestamp: 6, data: { username: 'third' } },
  ]
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const ada = somebody()
    const named = order
      .flatMap((index) => versions[index] ?? [])
      .map((v) => ({ ...v, id: `msg_${ada.replace('_', '')}${v.id}` }))
    await apply(...named.map((version) => userUpdated(ada, version)))
    expect(await userRow(ada)).toMatchObject({ username: 'third' })
  }
})

test('an event that was decided is a duplicate for ever, and changes nothing', async () => {
  const ada = somebody()
  const created = userCreated(ada, { at: 1 })
  const stale = userUpdated(ada, { at: 0 })
  const [applied, wasStale, again, staleAgain] = await apply(created, stale, created, stale)
  expect([applied, wasStale, again, staleAgain]).toEqual(['applied', 'stale', 'duplicate', 'duplicate'])
  expect(await outcomeOf(created)).toBe('applied')
  expect(await outcomeOf(stale)).toBe('stale')
})

test('an event that was ignored is decided anew when its kind is mirrored later', async () => {
  const ada = somebody()
  const created = userCreated(ada)
  expect(await apply({ ...created, change: null }, created)).toEqual(['ignored', 'applied'])
  expect(await outcomeOf(created)).toBe('applied')
})

test('a batch ends as its events one by one would', async () => {
  const [ada, bob] = [somebody(), somebody()]
  const twice = userCreated(ada, { at: 1, data: { username: 'ada' } })
  const outcomes = await applyTogether(
    twice,
    userUpdated(ada, { at: 3, data: { username: 'ada3' } }),
    userUpdated(ada, { at: 2, data: { username: 'ada2' } }),
    twice,
    userCreated(bob, { at: 1 }),
    userDeleted(bob, { at: 2 }),
    userUpdated(bob, { at: 3 }),
  )
  expect(outcomes).toEqual(['applied', 'applied', 'stale', 'duplicate', 'applied', 'applied', 'tombstoned'])
  expect(await userRow(ada)).toMatchObject({ username: 'ada3' })
  expect(await userRow(bob)).toBeNull()
})

test("a sync touches nothing that is the application's own, and a delete takes it along", async () => {
  const ada = somebody()
  await database.query("INSERT INTO users (clerk_id, tagline) VALUES (?, 'first to program')", [ada])
  await apply(userCreated(ada, { at: 1, data: { username: 'ada' } }))
  const row = await userRow(ada)
  expect(row).toMatchObject({ username: 'ada', tagline: 'first to program' })
  await database.query("INSERT INTO blocks (user_id, type, url, label) VALUES (?, 1, 'https://example.org', 'me')", [
    row?.['id'],
  ])
  await apply(userUpdated(ada, { at: 2, data: { username: 'augusta' } }))
  expect(await userRow(ada)).toMatchObject({ id: row?.['id'], username: 'augusta', tagline: 'first to program' })
  const blocks = () => database.query('SELECT * FROM blocks WHERE user_id = ?', [row?.['id']])
  expect(await blocks()).toHaveLength(1)
  await apply(userDeleted(ada, { at: 3 }))
  expect(await blocks()).toEqual([])
})

test('a user with nothing but an id, and one with more than fits, are mirrored', async () => {
  const [bare, odd] = [somebody(), somebody()]
  await apply(userCreated(bare, { data: { first_name: null, last_name: null, username: null, email_addresses: [] } }))
  expect(await userRow(bare)).toMatchObject({ display_name: null, username: null, email: null, img_url: null })
  const long = '😀'.repeat(300)
  const data = {
    first_name: long,
    last_name: 'a\u0000b\ud83d',
    username: `x${long}`,
    image_url: `https://example.org/${'a'.repeat(490)}`,
    public_metadata: { deep: 1 },
    email_addresses: [{ id: 'idn_1', email_address: `${'e'.repeat(400)}@example.org` }],
    primary_email_address_id: 'idn_1',
  }
  expect(await apply(userCreated(odd, { data }))).toEqual(['applied'])
  expect(await userRow(odd)).toMatchObject({
    first_name: '😀'.repeat(120),
    last_name: 'a\u0000b\ufffd',
    username: `x${'😀'.repeat(119)}`,
    display_name: '😀'.repeat(250),
    img_url: null,
    email: 'e'.repeat(320),
    public_metadata: '{"deep":1}',
  })
})

test('ids that differ only in case are different users', async () => {
  await apply(
    userCreated('user_caseA', { data: { username: 'upper' } }),
    userCreated('user_casea', { data: { username: 'lower' } }),
  )
  expect(await userRow('user_caseA')).toMatchObject({ username: 'upper' })
  expect(await userRow('user_casea')).toMatchObject({ username: 'lower' })
})

test('two users may hold the same username for a moment', async () => {
  const [ada, bob] = [somebody(), somebody()]
  await apply(userCreated(ada, { data: { username: 'shared' } }), userCreated(bob, { data: { username: 'shared' } }))
  expect([await userRow(ada), await userRow(bob)]).toMatchObject([{ username: 'shared' }, { username: 'shared' }])
})

test("a deleted user's memberships are tombstoned, whichever comes first", async () => {
  const [ada, bob] = [somebody(), somebody()]
  const organization = 'org_shared'
  await apply(membership('created', 'orgmem_ada', { user: ada, organization }), userDeleted(ada))
  await apply(userDeleted(bob), membership('created', 'orgmem_bob', { user: bob, organization }))
  const tombstone = { tombstone_source: 'parent', data: null }
  expect([await objectRow('orgmem_ada'), await objectRow('orgmem_bob')]).toMatchObject([tombstone, tombstone])
  expect(
    await applyTogether(userDeleted(somebody()), membership('updated', 'orgmem_ada', { user: ada, organization })),
  ).toEqual(['applied', 'tombstoned'])
})

test('an organization outlives the user who created it, and forgets them', async () => {
  const ada = somebody()
  const organization = { data: { name: 'Engines', created_by: ada } }
  await apply(decodedEvent('organization.created', 'org_1', { at: 1, ...organization }), userDeleted(ada))
  expect(await objectRow('org_1')).toMatchObject({ deleted_at: null, user_id: null })
  expect(await apply(decodedEvent('organization.updated', 'org_1', { at: 2, ...organization }))).toEqual(['applied'])
  expect(await objectRow('org_1')).toMatchObject({ deleted_at: null, user_id: null })
})

test('a membership is deleted by an event with the full object and an old updated_at', async () => {
  const of = { user: somebody(), organization: 'org_2' }
  const outcomes = await apply(
    membership('created', 'orgmem_full', of, { at: 1 }),
    membership('updated', 'orgmem_full', of, { at: 9 }),
    membership('deleted', 'orgmem_full', of, { at: 5, timestamp: 900 }),
    membership('updated', 'orgmem_full', of, { at: 9, timestamp: 901 }),
  )
  expect(outcomes).toEqual(['applied', 'applied', 'applied', 'tombstoned'])
})

test('a stub that stands for an absent parent is no tombstone and no version', async () => {
  const ada = somebody()
  await apply(membership('created', 'orgmem_early', { user: ada, organization: 'org_early' }, { at: 9 }))
  expect(await objectRow(ada)).toMatchObject({ event_id: null, deleted_at: null, data: null })
  expect(await userRow(ada)).toBeNull()
  expect(await apply(userCreated(ada, { at: 1, data: { username: 'ada' } }))).toEqual(['applied'])
  expect(await userRow(ada)).toMatchObject({ username: 'ada' })
})

test('an event that carries neither time is applied once and loses to every other', async () => {
  const ada = somebody()
  const timeless = userUpdated(ada, { timestamp: null, data: { updated_at: null, username: 'timeless' } })
  expect(await apply(timeless, userUpdated(ada, { at: 1, data: { username: 'timed' } }))).toEqual([
    'applied',
    'applied',
  ])
  expect(await userRow(ada)).toMatchObject({ username: 'timed' })
})

const rowsOf = (table: string, id: string) =>
  database.query<Record<string, unknown>>(`SELECT * FROM ${table} WHERE clerk_id = ?`, [id])

test('an organization, its members, invitations and domains have tables of their own, and go with it', async () => {
  const ada = somebody()
  const of = { user: ada, organization: 'org_typed' }
  const about = (data: object) => ({ data: { organization_id: 'org_typed', ...data } })
  const verified = { verification: { status: 'verified' } }
  await applyTogether(
    membership('created', 'orgmem_typed', of, { data: { role: 'org:admin', public_metadata: { a: 1 } } }),
    decodedEvent('organization.created', 'org_typed', {
      data: { name: 'Acme', slug: 'acme', max_allowed_memberships: 5 },
    }),
    decodedEvent(
      'organizationInvitation.created',
      'orginv_typed',
      about({ email_address: 'bob@example.org', status: 'pending' }),
    ),
    decodedEvent('organizationDomain.created', 'orgdmn_typed', about({ name: 'acme.com', ...verified })),
  )
  expect(await rowsOf('organizations', 'org_typed')).toMatchObject([
    { name: 'Acme', slug: 'acme', max_allowed_memberships: 5 },
  ])
  const names = { user_clerk_id: ada, organization_clerk_id: 'org_typed' }
  expect(await rowsOf('organization_memberships', 'orgmem_typed')).toMatchObject([
    { ...names, role: 'org:admin', public_metadata: '{"a":1}' },
  ])
  expect(await rowsOf('organization_invitations', 'orginv_typed')).toMatchObject([
    { email: 'bob@example.org', status: 'pending', user_clerk_id: null },
  ])
  expect(await rowsOf('organization_domains', 'orgdmn_typed')).toMatchObject([{ name: 'acme.com', verified: 1 }])
  await apply(decodedEvent('organization.deleted', 'org_typed', { at: 2000 }))
  const left = await Promise.all([
    rowsOf('organizations', 'org_typed'),
    rowsOf('organization_memberships', 'orgmem_typed'),
    rowsOf('organization_invitations', 'orginv_typed'),
    rowsOf('organization_domains', 'orgdmn_typed'),
  ])
  expect(left.flat()).toEqual([])
  expect(await objectRow('orginv_typed')).toMatchObject({ tombstone_source: 'parent', data: null })
})

test('a user who leaves and joins again has one membership, though the new one is created before the old one is deleted', async () => {
  const of = { user: somebody(), organization: 'org_again' }
  await apply(
    membership('created', 'orgmem_old', of, { at: 1 }),
    membership('created', 'orgmem_new', of, { at: 9 }),
    membership('deleted', 'orgmem_old', of, { at: 1, timestamp: 8 }),
  )
  const rows = await database.query<{ clerk_id: string }>(
    'SELECT clerk_id FROM organization_memberships WHERE user_clerk_id = ?',
    [of.user],
  )
  expect(rows).toEqual([{ clerk_id: 'orgmem_new' }])
})

test('a copy of an organization inside a membership never overwrites the organization', async () => {
  const of = { user: somebody(), organization: 'org_copy' }
  await apply(decodedEvent('organization.created', 'org_copy', { at: 1, data: { name: 'true' } }))
  const copy = { organization: { id: 'org_copy', name: 'stale copy', updated_at: 99 } }
  await apply(membership('created', 'orgmem_copy', of, { at: 9, data: copy }))
  expect(await rowsOf('organizations', 'org_copy')).toMatchObject([{ name: 'true' }])
})

test('an invitation goes with the user who accepted it, also when a version that names nobody is the newest', async () => {
  const about = (user?: string) => ({
    organization_id: 'org_sticky',
    email_address: 'ada@example.org',
    ...(user && { user_id: user }),
  })
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [0, 2, 1],
    [2, 1, 0],
  ]) {
    const ada = somebody()
    const invitation = `orginv_${ada}`
    const events = [
      decodedEvent('organizationInvitation.created', invitation, { at: 9, data: about() }),
      decodedEvent('organizationInvitation.accepted', invitation, { at: 1, data: about(ada) }),
      userDeleted(ada, { at: 5 }),
    ]
    await apply(...order.flatMap((index) => events[index] ?? []))
    expect([order, await objectRow(invitation)]).toMatchObject([order, { tombstone_source: 'parent', data: null }])
    expect(await rowsOf('organization_invitations', invitation)).toEqual([])
  }
})
