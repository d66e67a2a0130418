import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { documented } from '../support/documented.js'
import { post } from '../support/http/deliveries.js'
import { type AccountsDatabase, openAccountsDatabase } from '../support/mysql/accounts.js'
import { type App, type Environment, Program, runCli } from '../support/processes/processes.js'
import { mysqlCause, untilNotReady } from '../support/processes/readiness.js'
import { JWT_KEY, PARTY, sessionToken } from '../support/profiles/profiles.js'
import { madeUpKey } from '../support/queue/encryption-keys.js'
import { isTlsRedisPossible, openTlsRedis, type TlsRedis } from '../support/queue/tls-redis.js'
import { until } from '../support/until.js'
import { messageId, SECRET } from '../support/world.js'

/*
 * The real processes under the accounts of docs/hardening.md, over TLS to Redis. A missing right shows as a denial in
 * Redis' own log, or as an outage of the worker.
 */
const isPossible = await isTlsRedisPossible()
const inWorld = test.skipIf(!isPossible)
if (!isPossible) console.warn('SKIPPED: Redis over TLS, because redis-server or openssl is not installed')

const TOKEN = 'operator-token-of-the-tests-of-the-console'
const KEY = madeUpKey('k1')
const ANY_PORT = '0'
/** Some ten starts of the command line, on a machine that has other work to do. */
const COMMANDS_MS = 600_000

let owned: Releasers
let redis: TlsRedis
let database: AccountsDatabase
let ingest: Started
let worker: Started
beforeAll(async () => {
  if (!isPossible) return
  owned = new Releasers()
  redis = owned.use(await openTlsRedis(documented('acl').join('')))
  database = owned.use(await openAccountsDatabase())
  ingest = await started('ingest', 'ingest.listening')
  worker = await started('worker', 'health.listening')
})
afterAll(() => owned?.[Symbol.asyncDispose]())

function envOf(app: App): Environment {
  const ports = ['INGEST_PORT', 'METRICS_PORT', 'WORKER_PORT', 'CONSOLE_PORT', 'PROFILES_PORT']
  return {
    ...Object.fromEntries(ports.map((name) => [name, ANY_PORT])),
    NODE_EXTRA_CA_CERTS: redis.caPath,
    ENVELOPE_KEYS: KEY,
    ...(app === 'ingest' && { CLERK_WEBHOOK_SIGNING_SECRET: SECRET }),
    ...(app === 'worker' && { REACTIONS: '*' }),
    ...(app === 'console' && { CONSOLE_TOKEN: `ada:operator:${TOKEN}` }),
    ...(app === 'profiles' && { CLERK_JWT_KEY: JWT_KEY, CLERK_AUTHORIZED_PARTIES: PARTY }),
    ...(app !== 'profiles' && { REDIS_URL: redis.url(app) }),
    ...(app !== 'ingest' && { DATABASE_URL: database.url(app) }),
  }
}

type Started = Program & { url: string }

/** Started, with the address that it says it has. */
async function started(app: App, listening: string, env: Environment = {}): Promise<Started> {
  const program = owned.use(new Program(app, { env: { ...envOf(app), ...env } }))
  const { port } = await program.says(listening)
  return Object.assign(program, { url: `http://127.0.0.1:${port}` })
}

const ops = async (words: string) => {
  const { code, stdout, stderr } = await runCli(`${words} --json`, envOf('cli'))
  expect({ words, code, stderr }).toMatchObject({ words, code: 0 })
  return JSON.parse(stdout || 'null')
}

/** Signed and taken. */
async function sent(url: string, type: string, data: object, eventId = messageId()): Promise<string> {
  const body = JSON.stringify(clerkEvent(type, data))
  await until(async () => (await post({ url, secret: SECRET }, { eventId, body })).status === 202)
  return eventId
}

const outcomesOf = async (eventIds: readonly string[]) => {
  const sql = `SELECT event_id, outcome FROM webhook_events WHERE event_id IN (${eventIds.map(() => '?').join(',')})`
  const rows = await database.query<{ event_id: string; outcome: string }>(sql, [...eventIds])
  const outcomes = new Map(rows.map((row) => [row.event_id, row.outcome]))
  return eventIds.map((id) => outcomes.get(id))
}

const applied = (...ids: string[]) =>
  until(async () => (await outcomesOf(ids)).every((outcome) => outcome === 'applied' || outcome === 'tombstoned'))

const memberOf = (user: string, organization: string) => ({
  id: clerkId('orgmem'),
  role: 'admin',
  organization: { id: organization },
  public_user_data: { user_id: user },
})

const dead = () => redis.admin.zrange('{clerk-0}:clerk-events:failed', '0', '-1')

/** An event that no worker can apply, dead by the time that this returns. */
async function sentInVain(): Promise<string> {
  const id = await sent(ingest.url, 'user.created', { id: 7 })
  await until(async () => (await dead()).includes(id))
  return id
}

const [ada, bob, pinned, acme] = [clerkId('user'), clerkId('user'), clerkId('user'), clerkId('org')]

inWorld('events are taken, applied and deleted, given up and tried again', async () => {
  const ids = [
    await sent(ingest.url, 'user.created', clerkUser(ada, 1000, { username: 'ada' })),
    await sent(ingest.url, 'user.created', clerkUser(bob, 1000, { username: 'bob' })),
    await sent(ingest.url, 'organization.created', { id: acme, name: 'Acme', created_by: ada }),
    await sent(ingest.url, 'organizationMembership.created', memberOf(bob, acme)),
    await sent(ingest.url, 'organizationInvitation.created', { id: clerkId('orginv'), organization_id: acme }),
    await sent(ingest.url, 'organizationDomain.created', { id: clerkId('orgdmn'), organization_id: acme, name: 'x.y' }),
  ]
  await applied(...ids)
  await applied(await sent(ingest.url, 'organization.deleted', { id: acme, deleted: true }))
  const far = await sent(ingest.url, 'user.updated', clerkUser(pinned, 4e12))
  await until(() => worker.logged('object.future_version').some((line) => line['eventId'] === far))
  const id = await sentInVain()
  await applied(await sent(ingest.url, 'user.created', clerkUser(clerkId('user'), 1000), id))
  // An ingest process with a key that this worker lacks: the event is to be tried again.
  const other = await started('ingest', 'ingest.listening', { ENVELOPE_KEYS: madeUpKey('k2') })
  const unreadable = await sent(other.url, 'user.updated', clerkUser(bob, 2000))
  await until(() => worker.logged('event.retrying').some((line) => line['eventId'] === unreadable))
  await other.stop()
  expect(worker.logged('breaker.opened')).toEqual([])
  expect(worker.logged('queue.error')).toEqual([])
})

inWorld('profiles are read and written', async () => {
  const site = await started('profiles', 'profiles.listening')
  const cara = clerkId('user')
  await applied(await sent(ingest.url, 'user.created', clerkUser(cara, 1000, { username: 'cara' })))
  const headers = { authorization: `Bearer ${sessionToken(cara)}`, 'content-type': 'application/json' }
  const block = { type: 999, label: 'My engine', url: 'https://example.org/engine' }
  const body = JSON.stringify({ tagline: 'Poetical science', blocks: [block] })
  for (const newcomer of [headers, { ...headers, authorization: `Bearer ${sessionToken(clerkId('user'))}` }]) {
    expect((await fetch(`${site.url}/me`, { method: 'PUT', headers: newcomer, body })).status).toBe(200)
    expect((await fetch(`${site.url}/me`, { headers: newcomer })).status).toBe(200)
  }
  expect(await (await fetch(`${site.url}/@cara`)).text()).toContain('Poetical science')
  expect((await fetch(`${site.url}/profiles`)).status).toBe(200)
})

inWorld('the command line reads', { timeout: COMMANDS_MS }, async () => {
  const id = await sentInVain()
  const [status, deadLetters, deadLetter, event, object] = await Promise.all(
    ['status', 'dead-letters list', `dead-letters show ${id} --payload`, `trace ${id}`, `trace ${bob}`].map(ops),
  )
  expect(status).toMatchObject({ queue: { dead: expect.any(Number) }, breaker: 'closed' })
  expect(deadLetters).toContainEqual(expect.objectContaining({ id, code: 'malformed' }))
  expect(JSON.parse(deadLetter.body)).toMatchObject({ data: { id: 7 } })
  expect([event, object]).toMatchObject([{ where: 'dead' }, { kind: 'object', state: 'stored' }])
  expect((await runCli('dead-letters export --payload', envOf('cli'))).code).toBe(0)
})

inWorld('the command line replays, discards, rebuilds and erases', { timeout: COMMANDS_MS }, async () => {
  const [one, two] = [await sentInVain(), await sentInVain()]
  expect(await ops('versions list')).toMatchObject([{ id: pinned, updatedAtMs: expect.any(Number) }])
  expect(await ops(`versions release ${pinned} --yes`)).toMatchObject([{ id: pinned, kind: 'released' }])
  expect(await ops(`dead-letters replay --id ${one}`)).toMatchObject({ replayed: 1 })
  expect(await ops(`dead-letters discard --id ${two} --yes`)).toMatchObject({ discarded: 1 })
  await ops('rebuild')
  expect(await ops(`erase --user ${bob} --yes`)).toMatchObject({ jobs: { delayed: 1 }, unfinished: 0 })
  const actions = (await ops('audit list')).map(({ action }: { action: string }) => action)
  expect(actions).toEqual(expect.arrayContaining(['replay', 'discard', 'rebuild', 'erase']))
})

inWorld('the number of partitions goes up and down', { timeout: COMMANDS_MS }, async () => {
  const other = await started('ingest', 'ingest.listening', { QUEUE_PARTITIONS: '3' })
  const people = Array.from({ length: 12 }, () => clerkId('user'))
  const sending = people.map((id) => sent(other.url, 'user.created', clerkUser(id, 1000, { username: id })))
  await applied(...(await Promise.all(sending)))
  await other.stop()
  expect((await ops('partitions list')).partitions).toHaveLength(3)
  for (const index of [2, 1]) expect(await ops(`partitions retire ${index}`)).toEqual({ kind: 'retired' })
})

inWorld('the console shows, replays and discards', async () => {
  const { url } = await started('console', 'console.listening')
  const api = async (path: string, body?: object) => {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(`${url}${path}`, {
      headers,
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    })
    const text = await response.text()
    expect({ path, status: response.status, text }).toMatchObject({ path, status: 200 })
    return text
  }
  const [one, two] = [
    await sent(ingest.url, 'user.created', { id: 7 }),
    await sent(ingest.url, 'user.created', { id: 8 }),
  ]
  await until(async () =>
    [one, two].every(
      (
        (ids) => (id) =>
          ids.includes(id)
      )(await dead()),
    ),
  )
  const looks = ['status', 'activity', `trace/${one}`, `trace/${ada}`, 'audit', 'dead-letters', `dead-letters/${one}`]
  for (const look of [...looks, 'dead-letters/causes', 'dead-letters/export']) await api(`/api/${look}`)
  await api('/api/dead-letters/replay', { filter: { ids: [one] } })
  await api('/api/dead-letters/discard', { filter: { ids: [two] } })
  const form = new URLSearchParams({ token: TOKEN })
  const signIn = await fetch(`${url}/sign-in`, { method: 'POST', body: form, redirect: 'manual' })
  const cookie = String(signIn.headers.get('set-cookie')).split(';')[0] ?? ''
  const pages = ['/', '/dead-letters', `/dead-letters/${one}`, '/workers', '/audit', `/trace?id=${ada}`]
  const board = [
    '/queue/',
    ...['latest', 'failed', 'waiting', 'delayed'].map(
      (each) => `/queue/api/queues?activeQueue=clerk-events&status=${each}`,
    ),
  ]
  for (const path of [...pages, ...board]) {
    expect({ path, status: (await fetch(`${url}${path}`, { headers: { cookie } })).status }).toEqual({
      path,
      status: 200,
    })
  }
})

inWorld('a worker that lost a right stops, loses nothing, and gives back what it holds', async () => {
  const heads = 'INSERT, UPDATE ON clerk_mirror.clerk_objects'
  await database.run([`REVOKE ${heads} FROM clerk_mirror_worker`])
  const id = await sent(ingest.url, 'user.updated', clerkUser(ada, 3000, { username: 'countess' }))
  await untilNotReady(worker, mysqlCause('grant the account the rights that docs/hardening.md lists for it'))
  await until(async () => (await redis.admin.llen('{clerk-0}:clerk-events:active')) > 0)
  expect(await worker.stop()).toMatchObject({ code: 0 })
  expect(await redis.admin.llen('{clerk-0}:clerk-events:active')).toBe(0)
  await database.run([`GRANT ${heads} TO clerk_mirror_worker`])
  worker = await started('worker', 'health.listening')
  await applied(id)
})

inWorld(
  'the command line ends the requests for a reaction, and gives the database its id',
  { timeout: COMMANDS_MS },
  async () => {
    await redis.admin.hset('{clerk-0}:clerk-events:clerk-mirror:reaction-register', 'reaction:gone', '"*"')
    expect(await ops('reactions remove gone')).toEqual({ kind: 'removed' })
    const { database: ours, queue } = await ops('installation show')
    expect(ours).toEqual(queue)
    // A living worker would end itself.
    await worker.stop()
    await database.query("UPDATE installation SET installation_id = 'another'")
    expect(await ops('installation restamp --yes')).toEqual({ kind: 'restamped', from: 'another', to: queue.id })
    await redis.admin.hset('{clerk-0}:clerk-events:clerk-mirror:installation', 'epoch', queue.epoch)
  },
)

inWorld('Redis has denied nobody anything but ingest its look at appendfsync', async () => {
  expect((await redis.denials()).filter((denial) => denial !== 'ingest: config|get')).toEqual([])
})
