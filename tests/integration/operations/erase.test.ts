import { eventIdOf, Failure } from '@clerk-mirror/events'
import { type EraseResult, erase } from '@clerk-mirror/operations'
import { type Delivery, type Disposition, parseRedisUrl, reactionPartition } from '@clerk-mirror/queue/consume'
import { openReactionProducer } from '@clerk-mirror/queue/enqueue'
import { expect, inject, test } from 'vitest'
import { decodedEvent, membership, userCreated, userDeleted, userUpdated } from '../../support/builders.js'
import { openOracle } from '../../support/invariants.js'
import { keysHolding, openWorld, type World } from '../../support/mysql/erase-world.js'
import { done, envelope, retryingAfter, type TestQueue } from '../../support/queue/queue.js'
import { latch, until } from '../../support/until.js'

const ADA = 'user_1'
/** In every text that Ada has written. */
const MARKER = 'xQz7marker'
const HOUR_MS = 3_600_000
const ACTIVE_PATIENCE_MS = 20_000

const eraseAda = (world: World, options: { patienceMs?: number; onWaiting?: () => void } = {}): Promise<EraseResult> =>
  erase(world.mirror, world.events, {
    userId: ADA,
    actor: 'op@test',
    onWaiting: options.onWaiting ?? (() => {}),
    reactions: world.reactions,
    patienceMs: options.patienceMs ?? ACTIVE_PATIENCE_MS,
  })

/** The body of a stored event about an object. */
function eventAbout(id: string, type: string, objectId: string, data: object = {}) {
  const body = JSON.stringify({ type, data: { id: objectId, note: MARKER, ...data } })
  return envelope(id, { type, objectId, body })
}

/** Moves a waiting event into one of BullMQ's sorted sets. */
async function moveTo({ redis, partition: { key } }: TestQueue, set: string, id: string): Promise<void> {
  await redis.lrem(key('wait'), 1, id)
  await redis.zadd(key(set), 1, id)
}

async function outcomes({ database }: World): Promise<Record<string, string>> {
  const rows = await database.query<{ event_id: string; outcome: string }>('SELECT * FROM webhook_events')
  return Object.fromEntries(rows.map((row) => [row.event_id, row.outcome]))
}

const traces = async ({ database }: World) => (await openOracle(database.query)).traces([MARKER])

/** Ada with all that may hang on a user, and Bob beside her. */
const adasLife = [
  userCreated(ADA, { data: { username: MARKER, first_name: MARKER, public_metadata: { a: MARKER } } }),
  userCreated('user_12', { data: { username: 'bob' } }),
  decodedEvent('organization.created', 'org_1', { data: { name: 'Acme', created_by: ADA } }),
  membership('created', 'orgmem_1', { user: ADA, organization: 'org_1' }, { data: { role: MARKER } }),
  membership('created', 'orgmem_2', { user: 'user_12', organization: 'org_1' }),
  decodedEvent('organizationInvitation.created', 'orginv_1', {
    data: { organization_id: 'org_1', user_id: ADA, email_address: `${MARKER}@x.y` },
  }),
  decodedEvent('organizationInvitation.created', 'orginv_2', {
    data: {
      organization_id: 'org_1',
      email_address: 'bob@x.y',
      public_inviter_data: { user_id: ADA, first_name: MARKER },
    },
  }),
  decodedEvent('session.created', 'sess_1', { data: { user_id: ADA, browser: MARKER } }),
  decodedEvent('subscription.created', 'csub_1', { data: { payer: { user_id: ADA, email: MARKER } } }),
]

async function liveAdasLife({ mirror, database }: World): Promise<void> {
  await mirror.apply(adasLife)
  await database.query('UPDATE users SET tagline = ? WHERE clerk_id = ?', [MARKER, ADA])
  const insert = 'INSERT INTO blocks (user_id, type, url, label) SELECT id, 1, ?, ? FROM users WHERE clerk_id = ?'
  await database.query(insert, [`https://${MARKER}`, MARKER, ADA])
}

test('erase leaves nothing of a person but their ids: not in the tables, not in the queue, in whatever state', async () => {
  await using world = await openWorld()
  const { queue } = world
  await liveAdasLife(world)
  expect(await traces(world)).not.toEqual([])
  const hers = [
    eventAbout('msg_waiting', 'user.updated', ADA),
    eventAbout('msg_delayed', 'organizationMembership.updated', 'orgmem_1', { public_user_data: { user_id: ADA } }),
    eventAbout('msg_dead', 'user.updated', ADA),
    eventAbout('msg_odd', 'brandNew.thing', 'new_1', { deep: { owner: ADA } }),
    eventAbout('msg_kept', 'session.created', 'sess_1', { user_id: ADA }),
    {
      ...eventAbout('msg_malformed', 'user.updated', 'é'),
      body: `{"type":"user.updated","data":{"id":7,"was":"${ADA}"}}`,
    },
  ]
  const others = [
    envelope('msg_bob', { objectId: 'user_12', body: '{"type":"user.updated","data":{"id":"user_12"}}' }),
    envelope('msg_org', { type: 'organization.updated', objectId: 'org_1', body: `{"data":{"created_by":"${ADA}"}}` }),
  ]
  for (const event of [...hers, ...others])
    expect(await queue.producer.enqueue(event)).toMatchObject({ kind: 'accepted' })
  await moveTo(queue, 'delayed', 'msg_delayed')
  for (const id of ['msg_dead', 'msg_malformed']) await moveTo(queue, 'failed', id)
  await moveTo(queue, 'completed', 'msg_kept')
  const recorder = reactionPartition(queue.partition, 'recorder')
  using producer = openReactionProducer(parseRedisUrl(inject('redisUrl')), queue.partition, ['recorder'])
  const runs = [
    envelope('x_hers', { objectId: 'orgmem_1', body: `{"userId":"${ADA}"}` }),
    envelope('x_bobs', { objectId: 'user_12', body: '{"userId":"user_12"}' }),
  ]
  await until(() => producer.enqueue(recorder, runs).then(() => true))

  expect(await eraseAda(world)).toEqual({
    kind: 'erased',
    objects: 5,
    rows: { users: 1, blocks: 1, organization_memberships: 1, organization_invitations: 1 },
    jobs: { waiting: 2, delayed: 1, dead: 2, kept: 1 },
    reactions: { waiting: 1, delayed: 0, dead: 0, kept: 0 },
    unfinished: 0,
    unread: 0,
    addressesKnown: true,
    mentions: [],
    mentioned: 0,
  })
  expect(await queue.redis.lrange(recorder.key('wait'), 0, -1)).toEqual(['x_bobs'])
  expect(await traces(world)).toEqual([])
  expect(await keysHolding(queue, MARKER)).toEqual([])
  expect((await queue.redis.lrange(queue.partition.key('wait'), 0, -1)).sort()).toEqual(['msg_bob', 'msg_org'])
  const erased = Object.fromEntries(hers.map(({ eventId }) => [eventId, 'erased']))
  expect(await outcomes(world)).toMatchObject(erased)
  expect(Object.keys(await outcomes(world))).not.toContain('msg_org')
  const objects = await world.database.query<{ id: string }>(
    'SELECT id FROM clerk_objects WHERE deleted_at IS NULL AND event_id IS NOT NULL ORDER BY id',
  )
  expect(objects.map(({ id }) => id)).toEqual(['org_1', 'orginv_2', 'orgmem_2', 'user_12'])
  const actions = await world.database.query('SELECT * FROM operator_actions')
  expect(actions).toMatchObject([{ action: 'erase', actor: 'op@test', subject_id: ADA, finished_at: expect.any(Date) }])
  const counts = { objects: 5, users: 1, jobs_waiting: 2, jobs_delayed: 1, jobs_dead: 2, jobs_kept: 1 }
  expect(JSON.parse(String((actions[0] as { counts: string }).counts))).toMatchObject(counts)
})

test("Clerk's own delete leaves nothing of the person in the tables either", async () => {
  await using world = await openWorld()
  await liveAdasLife(world)
  await world.mirror.apply([userDeleted(ADA, { at: 2000 })])
  expect(await traces(world)).toEqual([])
})

test('what comes again after an erase is tombstoned, the erased event included', async () => {
  await using world = await openWorld()
  await liveAdasLife(world)
  await world.queue.producer.enqueue(eventAbout('msg_again', 'user.updated', ADA))
  await eraseAda(world)
  const again = [
    userUpdated(ADA, { id: 'msg_again', at: 9000, data: { username: MARKER } }),
    membership('created', 'orgmem_9', { user: ADA, organization: 'org_1' }, { at: 9000, data: { role: MARKER } }),
  ]
  expect(await world.mirror.apply(again)).toMatchObject([{ outcome: 'tombstoned' }, { outcome: 'tombstoned' }])
  expect(await outcomes(world)).toMatchObject({ msg_again: 'tombstoned' })
  expect(await traces(world)).toEqual([])
})

test('erase waits for the event that a worker has, and removes it if it comes back', async () => {
  await using world = await openWorld()
  const { queue } = world
  const gate = latch()
  await queue.producer.enqueue(eventAbout('msg_done', 'user.updated', ADA))
  await queue.producer.enqueue(eventAbout('msg_fails', 'user.updated', ADA))
  const failure = new Failure('unknown', 'mysql_9999', 'odd')
  const handle = async (batch: readonly Delivery[]): Promise<Disposition[]> => {
    await gate.opened
    return batch.map(({ envelope: { eventId } }) => (eventId === 'msg_done' ? done : { kind: 'failed', failure }))
  }
  const worker = queue.work({ handle, profile: retryingAfter(HOUR_MS) })
  await until(() => worker.seen.handled.flat().length === 2)
  expect(await eraseAda(world, { patienceMs: 300 })).toMatchObject({ unfinished: 2, jobs: { waiting: 0 } })
  const result = await eraseAda(world, { onWaiting: gate.open })
  expect(result).toMatchObject({ kind: 'erased', unfinished: 0, jobs: { delayed: 1, waiting: 0, dead: 0 } })
  expect(await keysHolding(queue, MARKER)).toEqual([])
  const actions = await world.database.query<{ finished_at: Date | null }>('SELECT * FROM operator_actions ORDER BY id')
  expect(actions.map((action) => action.finished_at !== null)).toEqual([false, true])
})

test('an erase that was interrupted after the tombstone is finished by the next; two operators at once are safe', async () => {
  await using world = await openWorld()
  await liveAdasLife(world)
  const count = 30
  for (let n = 0; n < count; n += 1) await world.queue.producer.enqueue(eventAbout(`msg_${n}`, 'user.updated', ADA))
  const begun = await world.mirror.beginErase({ userId: ADA, actor: 'op@test' })
  if (begun.kind === 'begun') await world.mirror.eraseUser({ userId: ADA, actionId: begun.actionId })
  const [one, two] = await Promise.all([eraseAda(world), eraseAda(world)])
  const waiting = [one, two].map((result) => (result.kind === 'erased' ? result.jobs.waiting : Number.NaN))
  expect(waiting.reduce((sum, each) => sum + each, 0)).toBe(count)
  expect(one).toMatchObject({ objects: 0, rows: {} })
  expect(await keysHolding(world.queue, MARKER)).toEqual([])
  expect(await eraseAda(world)).toMatchObject({ objects: 0, jobs: { waiting: 0 }, unfinished: 0 })
})

test('an event that the ledger has decided stays as it was decided, and its leftover in the queue goes', async () => {
  await using world = await openWorld()
  const id = eventIdOf('msg_decided')
  await world.mirror.apply([userCreated(ADA, { id })])
  await world.queue.producer.enqueue(eventAbout(id, 'user.created', ADA))
  expect(await eraseAda(world)).toMatchObject({ jobs: { waiting: 1 } })
  expect(await outcomes(world)).toMatchObject({ [id]: 'applied' })
})

test('a person whom the mirror has never seen can be erased beforehand; an organization is no person', async () => {
  await using world = await openWorld()
  expect(await eraseAda(world)).toMatchObject({ objects: 0, rows: {} })
  expect(await world.mirror.apply([userCreated(ADA)])).toMatchObject([{ outcome: 'tombstoned' }])
  await world.mirror.apply([decodedEvent('organization.created', 'org_1', { data: { name: 'Acme' } })])
  const refused = await erase(world.mirror, world.events, {
    ...{ userId: 'org_1', actor: 'op@test', onWaiting: () => {}, reactions: world.reactions },
  })
  expect(refused).toEqual({ kind: 'not-a-user', objectKind: 'organization' })
  expect(await world.database.query('SELECT name FROM organizations')).toEqual([{ name: 'Acme' }])
})
