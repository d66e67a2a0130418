import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { messageId, openWorld, SECRET, type World } from '../support/world.js'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const accepted = { status: 202, body: { status: 'accepted' } }
const refused = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } })
const row = async (id: string) =>
  (await world.database.query<Record<string, unknown>>('SELECT * FROM users WHERE clerk_id = ?', [id]))[0] ?? null
const outcome = async (id: string) =>
  (await world.database.query<{ outcome: string }>('SELECT outcome FROM webhook_events WHERE event_id = ?', [id]))[0]
    ?.outcome

test('a person signs up, changes their name and leaves; the table follows', async () => {
  const ada = clerkId('user')
  const person = { first_name: 'Ada', last_name: 'Lovelace', username: 'ada', email: 'ada@example.org' }
  expect(await world.send(clerkEvent('user.created', clerkUser(ada, 1000, person)))).toMatchObject(accepted)
  await world.settled()
  expect(await row(ada)).toMatchObject({ display_name: 'Ada Lovelace', email: 'ada@example.org', username: 'ada' })
  await world.send(clerkEvent('user.updated', clerkUser(ada, 2000, { ...person, last_name: 'King' })))
  await world.settled()
  expect(await row(ada)).toMatchObject({ display_name: 'Ada King' })
  await world.send(clerkEvent('user.deleted', { id: ada, object: 'user', deleted: true }))
  await world.settled()
  expect(await row(ada)).toBeNull()
})

test('a late update and a second delivery change nothing', async () => {
  const ada = clerkId('user')
  const newer = clerkEvent('user.updated', clerkUser(ada, 2000, { username: 'new' }))
  const { id } = await world.send(newer)
  await world.settled()
  const late = await world.send(clerkEvent('user.created', clerkUser(ada, 1000, { username: 'old' })))
  await world.settled()
  expect(await world.send(newer, { id })).toMatchObject(accepted)
  await world.settled()
  expect(await row(ada)).toMatchObject({ username: 'new' })
  expect([await outcome(id), await outcome(late.id)]).toEqual(['applied', 'stale'])
})

test.each([
  ['no names', { first_name: null, last_name: null }, null],
  ['one name', { first_name: null, last_name: 'Plato' }, 'Plato'],
  ['emoji', { first_name: '👩🏽‍🚀', last_name: '李' }, '👩🏽‍🚀 李'],
  ['half an emoji', { first_name: '\ud83d', last_name: 'x' }, '\ufffd x'],
  ['a name longer than the column', { first_name: 'é'.repeat(200), last_name: null }, 'é'.repeat(200)],
])('a person with %s is shown as they should be', async (_, names, displayName) => {
  const id = clerkId('user')
  await world.send(clerkEvent('user.created', clerkUser(id, 1000, names)))
  await world.settled()
  expect(await row(id)).toMatchObject({ display_name: displayName })
})

test('an event that cannot be keyed is a dead letter with its reason; Clerk sends it again mended, and it is applied', async () => {
  const { id } = await world.send(clerkEvent('user.created', { ...clerkUser('x', 1), id: 7 }))
  await world.settled()
  expect(await world.deadLetters.find(id)).toMatchObject({
    attempts: 1,
    reason: { class: 'poison', code: 'malformed' },
  })
  expect(await world.deadLetters.replay(id)).toBe(true)
  await world.settled()
  expect(await world.deadLetters.find(id)).toMatchObject({ attempts: 1, reason: { code: 'malformed' } })
  const user = clerkId('user')
  await world.send(clerkEvent('user.created', clerkUser(user, 1, { username: 'mended' })), { id })
  await world.settled()
  expect(await world.deadLetters.find(id)).toBeNull()
  expect(await row(user)).toMatchObject({ username: 'mended' })
})

test('a dead letter whose cause was mended is replayed and applied', async () => {
  const ada = clerkId('user')
  await world.database.query("ALTER TABLE users ADD CONSTRAINT mended_later CHECK (username <> 'odd')")
  const { id } = await world.send(clerkEvent('user.created', clerkUser(ada, 1, { username: 'odd' })))
  await world.settled()
  expect(await world.deadLetters.find(id)).toMatchObject({ reason: { class: 'poison' } })
  await world.database.query('ALTER TABLE users DROP CONSTRAINT mended_later')
  await world.deadLetters.replay(id)
  await world.settled()
  expect(await row(ada)).toMatchObject({ username: 'odd' })
})

test('an event of an unknown type gets its object row and its ledger row', async () => {
  const { id } = await world.send(clerkEvent('somethingNew.happened', { id: 'new_1', colour: 'green' }))
  await world.settled()
  expect(await outcome(id)).toBe('applied')
  expect(await world.database.query('SELECT kind FROM clerk_objects WHERE id = ?', ['new_1'])).toEqual([
    { kind: 'somethingNew' },
  ])
})

test('an event that is ignored gets its ledger row though its ids are no ids', async () => {
  const { id } = await world.send({
    ...clerkEvent('session.created', { id: 'é'.repeat(100) }),
    instance_id: 'ü'.repeat(80),
  })
  await world.settled()
  expect(await outcome(id)).toBe('ignored')
})

test('one-time codes are acknowledged and reach not even Redis', async () => {
  const { id, ...answer } = await world.send(clerkEvent('email.created', { id: 'ema_1', body: 'your code is 123456' }))
  expect(answer).toEqual({ status: 202, body: { status: 'ignored' } })
  expect(await world.redis.exists(world.key(id))).toBe(0)
  await world.settled()
  expect(await outcome(id)).toBeUndefined()
})

describe('a request is refused', () => {
  const event = clerkEvent('user.created', clerkUser('user_refused', 1))
  const post = async (init: RequestInit, path = '/webhooks/clerk') => {
    const response = await fetch(world.url + path, { method: 'POST', ...init })
    return { status: response.status, body: await response.json() }
  }
  test.each([
    ['with another secret', { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, refused(401, 'invalid_signature')],
    ['six minutes late', { timestampS: Math.floor(Date.now() / 1000) - 360 }, refused(401, 'stale_timestamp')],
    ['with an empty timestamp', { headers: { 'svix-timestamp': '' } }, refused(400, 'missing_header')],
    ['with a timestamp that is no number', { headers: { 'svix-timestamp': 'now' } }, refused(400, 'invalid_timestamp')],
    [
      'as a form',
      { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      refused(415, 'unsupported_media_type'),
    ],
  ])('%s', async (_, options, expected) => {
    expect(await world.send(event, options)).toMatchObject(expected)
  })
  test.each([
    ['that is no JSON', '{"type":', 'invalid_json'],
    ['that is a list', '[]', 'not_an_object'],
    ['without a type', '{"data":{}}', 'missing_type'],
  ])('signed, but with a body %s', async (_, body, code) => {
    expect(await world.send(body)).toMatchObject(refused(400, code))
  })
  test('without a signature, by another method, on another path, with too large a body', async () => {
    const json = { 'content-type': 'application/json' }
    expect(await post({ body: '{}', headers: json })).toEqual(refused(400, 'missing_header'))
    expect(await post({ method: 'GET' })).toEqual(refused(405, 'method_not_allowed'))
    expect(await post({ method: 'GET' }, '/metrics')).toEqual(refused(404, 'not_found'))
    expect(await world.send('x'.repeat(1024 * 1024 + 1))).toMatchObject(refused(413, 'payload_too_large'))
    expect(await post({ body: '{}', headers: { ...json, 'x-long': 'x'.repeat(20_000) } })).toEqual(
      refused(431, 'headers_too_large'),
    )
  })
  test('and nothing of it reaches Redis', async () => {
    const ids = [messageId(), messageId()]
    await world.send(event, { id: ids[0] ?? '', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })
    await world.send('{"no":"type"}', { id: ids[1] ?? '' })
    expect(await world.redis.exists(...ids.map(world.key))).toBe(0)
  })
})

test('a charset and the Standard Webhooks header names are fine', async () => {
  const charset = { headers: { 'content-type': 'application/json; charset=utf-8' } }
  expect(await world.send(clerkEvent('user.created', clerkUser(clerkId('user'), 1)), charset)).toMatchObject(accepted)
})

test('the processes tell how they are', async () => {
  const get = async (url: string) => (await fetch(url)).text()
  expect(JSON.parse(await get(`${world.url}/livez`))).toEqual({ status: 'ok' })
  expect(JSON.parse(await get(`${world.url}/readyz`))).toEqual({ status: 'ready', checks: { redis: { ok: true } } })
  const both = { status: 'ready', checks: { redis: { ok: true }, mysql: { ok: true } } }
  expect(JSON.parse(await get(`${world.workerUrl}/readyz`))).toEqual(both)
  expect(await get(`${world.metricsUrl}/metrics`)).toMatch(
    /clerk_mirror_ingest_accepted_total\{how="added",app="ingest"\} \d+/,
  )
  const metrics = await get(`${world.workerUrl}/metrics`)
  expect(metrics).toMatch(/clerk_mirror_events_total\{outcome="applied",app="worker"\} \d+/)
  expect(metrics).toMatch(/clerk_mirror_lag_seconds_count\{app="worker"\} \d+/)
})

test('no log line holds a name, an address, a body or a secret', async () => {
  const marker = 'MARKER4711'
  const person = { first_name: marker, username: marker, email: `${marker}@example.org` }
  await world.send(clerkEvent('user.created', clerkUser(clerkId('user'), 1, person)))
  await world.send(clerkEvent('user.created', { ...clerkUser('x', 1, person), id: { marker } }))
  await world.send({ type: 7, marker })
  await world.settled()
  expect(world.logged.length).toBeGreaterThan(10)
  expect(world.logged.filter((line) => line.includes(marker) || line.includes(SECRET.slice(6)))).toEqual([])
})

test('with an instance named, events of others are acknowledged and ignored, and those that name none are taken', async () => {
  await using picky = await openWorld({ instanceId: 'ins_ours' })
  const of = (instance_id?: string) => ({ ...clerkEvent('user.created', clerkUser(clerkId('user'), 1)), instance_id })
  expect((await picky.send(of('ins_ours'))).body).toEqual({ status: 'accepted' })
  expect((await picky.send(of('ins_theirs'))).body).toEqual({ status: 'ignored' })
  expect((await picky.send(of('ins_theirs'))).body).toEqual({ status: 'ignored' })
  expect((await picky.send(of())).body).toEqual({ status: 'accepted' })
  const warned = picky.logged.filter((line) => line.includes('"ingest.dropping"'))
  expect(warned).toEqual([expect.stringMatching(/"instanceId":"ins_theirs".*"ownInstanceId":"ins_ours"/)])
  const metrics = await (await fetch(`${picky.metricsUrl}/metrics`)).text()
  expect(metrics).toContain('clerk_mirror_ingest_ignored_total{reason="other_instance",app="ingest"} 2')
  expect(metrics).toContain('clerk_mirror_ingest_ignored_total{reason="never_stored",app="ingest"} 0')
})
