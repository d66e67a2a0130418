import { type DecodedEvent, type Mirror, openMirror, type ReactionRequest } from '@clerk-mirror/mirror'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { membership, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openTestDatabase, type TestDatabase } from '../../support/mysql/database.js'

let database: TestDatabase
let mirror: Mirror
let told: string[]
beforeAll(async () => {
  database = await openTestDatabase()
  const to = () => ['recorder']
  const onRequested = (names: ReadonlySet<string>) => void told.push(...names)
  mirror = openMirror(database.options, {
    reactions: { interests: () => ({ to, wantUpdatesOf: () => true }), areCurrent: async () => true, onRequested },
  })
})
afterAll(async () => {
  await mirror[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

let people = 0
const somebody = () => `user_${people++}`

/** The requests of these events, one at a time or together, taken out of the outbox. */
async function askedBy(events: DecodedEvent[], how: 'in turn' | 'together' = 'in turn'): Promise<ReactionRequest[]> {
  told = []
  if (how === 'together') await mirror.apply(events)
  else for (const event of events) await mirror.apply([event])
  const rows = await mirror.outbox('recorder', 1000)
  if (rows.length > 0) await mirror.removeFromOutbox(rows.map(({ rowId }) => rowId))
  return rows.map(({ request }) => request)
}

const inShort = (asked: readonly ReactionRequest[]) => asked.map(({ what, objectId }) => `${what} ${objectId}`)

test('the first event of an object makes it created, whatever the event is called, and later ones updated', async () => {
  const ada = somebody()
  const [created, updated, ...more] = await askedBy([
    userUpdated(ada, { at: 2, data: { username: 'ada' } }),
    userUpdated(ada, { at: 3, data: { username: 'countess', first_name: 'Ada' } }),
  ])
  expect(created).toMatchObject({ what: 'created', kind: 'user', objectId: ada, userId: ada, changedFields: [] })
  expect(updated).toMatchObject({ what: 'updated', changedFields: ['first_name', 'updated_at', 'username'] })
  expect(more).toEqual([])
  expect(told).toEqual(['recorder', 'recorder'])
})

test('what is stale, a duplicate or comes after the delete asks for nothing, and a delete asks once', async () => {
  const ada = somebody()
  const first = userUpdated(ada, { at: 2 })
  expect(inShort(await askedBy([first]))).toEqual([`created ${ada}`])
  expect(await askedBy([userUpdated(ada, { at: 1 }), first])).toEqual([])
  const deletes = [userDeleted(ada, { at: 3 }), userDeleted(ada, { at: 4 }), userUpdated(ada, { at: 5 })]
  expect(inShort(await askedBy(deletes))).toEqual([`deleted ${ada}`])
  expect(told).toEqual(['recorder'])
})

test('a delete that comes first is told, and what comes after it is not', async () => {
  const ada = somebody()
  expect(inShort(await askedBy([userDeleted(ada, { at: 3 }), userCreated(ada, { at: 1 })]))).toEqual([`deleted ${ada}`])
})

test('a batch asks for what its events one by one would have asked for, each against the one before', async () => {
  const ada = somebody()
  const events = [
    userCreated(ada, { at: 1, data: { username: 'ada' } }),
    userUpdated(ada, { at: 2, data: { username: 'countess' } }),
    userUpdated(ada, { at: 1, data: { username: 'late' } }),
    userDeleted(ada, { at: 3 }),
  ]
  const asked = await askedBy(events, 'together')
  expect(inShort(asked)).toEqual([`created ${ada}`, `updated ${ada}`, `deleted ${ada}`])
  expect(asked[1]?.changedFields).toEqual(['updated_at', 'username'])
  expect(asked.map(({ version }) => version.eventId)).toEqual([0, 1, 3].map((index) => events[index]?.entry.eventId))
})

test('what goes with its user is deleted by the same event; what comes for a deleted user never was there', async () => {
  const ada = somebody()
  const held = membership('created', `orgmem_of_${ada}`, { user: ada, organization: 'org_1' }, { at: 1 })
  await askedBy([userCreated(ada, { at: 1 }), held])
  const gone = userDeleted(ada, { at: 2 })
  const asked = await askedBy([
    gone,
    membership('created', `orgmem_late_${ada}`, { user: ada, organization: 'org_1' }, { at: 1 }),
  ])
  expect(inShort(asked)).toEqual([`deleted ${ada}`, `deleted orgmem_of_${ada}`])
  expect(asked[1]).toMatchObject({ userId: ada, organizationId: 'org_1', kind: 'organizationMembership' })
  expect(asked[1]?.version.eventId).toBe(gone.entry.eventId)
})

test('what an object names does not make it created: its own first event does', async () => {
  const ada = somebody()
  await askedBy([membership('created', `orgmem_of_${ada}`, { user: ada, organization: 'org_2' }, { at: 1 })])
  expect(inShort(await askedBy([userUpdated(ada, { at: 2 })]))).toEqual([`created ${ada}`])
})

test('a backfill asks for nothing, and what it brought is updated by the next event', async () => {
  const ada = somebody()
  const { entry, change } = userCreated(ada, { at: 1 })
  expect(await askedBy([{ entry: { ...entry, source: 'backfill' }, change }])).toEqual([])
  expect(inShort(await askedBy([userUpdated(ada, { at: 2 })]))).toEqual([`updated ${ada}`])
})

test('an event that cannot be applied asks for nothing, and its batch for what it did', async () => {
  const [ada, eve] = [somebody(), somebody()]
  const poison = userCreated(eve, { at: 1 })
  const broken = { ...poison, entry: { ...poison.entry, type: 'x'.repeat(200) } }
  expect(inShort(await askedBy([userCreated(ada, { at: 1 }), broken], 'together'))).toEqual([`created ${ada}`])
})

test('two workers that hold the same event ask once', async () => {
  const ada = somebody()
  const event = userCreated(ada, { at: 1 })
  told = []
  await Promise.all([mirror.apply([event]), mirror.apply([event]), mirror.apply([event])])
  expect(inShort(await askedBy([]))).toEqual([`created ${ada}`])
})

test('of the fields that changed the outbox holds the names, and nothing of what people wrote', async () => {
  const ada = somebody()
  await mirror.apply([userCreated(ada, { at: 1, data: { unsafe_metadata: { note: 'marker-one' } } })])
  await mirror.apply([userUpdated(ada, { at: 2, data: { unsafe_metadata: { note: 'marker-two' } } })])
  const rows = await database.query('SELECT * FROM reaction_outbox')
  expect(rows).toHaveLength(2)
  expect(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
    'marker',
  )
  await askedBy([])
})

test('erase takes what is asked for about the person out of the outbox, and leaves the rest', async () => {
  const [ada, bob] = [somebody(), somebody()]
  await mirror.apply([
    userCreated(ada, { at: 1 }),
    membership('created', `orgmem_of_${ada}`, { user: ada, organization: 'org_3' }, { at: 1 }),
    userCreated(bob, { at: 1 }),
  ])
  const begun = await mirror.beginErase({ userId: ada, actor: 'test' })
  if (begun.kind !== 'begun') throw new Error('no user')
  expect(await mirror.eraseUser({ userId: ada, actionId: begun.actionId })).toMatchObject({ reaction_outbox: 2 })
  expect(inShort(await askedBy([]))).toEqual([`created ${bob}`])
})

test('without reactions nothing is asked for', async () => {
  await using quiet = openMirror(database.options)
  await quiet.apply([userCreated(somebody(), { at: 1 })])
  expect(await mirror.outboxDepth()).toEqual({ rows: 0, oldestMs: 0 })
})

test('the object as it is now comes with what the public may know of a user, and is gone when it is deleted', async () => {
  const ada = somebody()
  await askedBy([userCreated(ada, { at: 1, data: { username: 'ada', first_name: 'Ada' } })])
  const read = async () => (await mirror.objectsNow([ada, 'user_nobody'])).get(ada)
  const now = await read()
  expect(now).toMatchObject({ kind: 'user', publicUser: { username: 'ada', displayName: 'Ada', tagline: null } })
  expect(JSON.parse(now?.data ?? '')).toMatchObject({ id: ada })
  await askedBy([userDeleted(ada, { at: 2 })])
  expect(await read()).toBeUndefined()
})

test('a transaction whose reactions are outdated at its end does not commit, and no event is to blame', async () => {
  const ada = somebody()
  const interests = () => ({ to: () => ['recorder'], wantUpdatesOf: () => true })
  await using frozen = openMirror(database.options, {
    reactions: { interests, areCurrent: async () => false, onRequested: () => {} },
  })
  const event = userUpdated(ada, { at: 2, data: { username: 'ada' } })
  await expect(frozen.apply([event])).rejects.toMatchObject({ class: 'outage', code: 'register_unread' })
  expect(await database.query('SELECT * FROM clerk_objects WHERE id = ?', [ada])).toEqual([])
  expect(inShort(await askedBy([event]))).toEqual([`created ${ada}`])
})
