import { openReactionPartitions, type Partition, parseRedisUrl, partition } from '@clerk-mirror/queue/operate'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld } from '../support/console.js'
import { openReceiver, type Receiver } from '../support/http/receiver.js'
import { CHROMIUM, openBrowser } from '../support/profiles/browser.js'
import { webhooksTo } from '../support/reactions.js'
import { PATIENCE_MS, until } from '../support/until.js'

let receiver: Receiver
let world: ConsoleWorld
let browser: Browser | undefined
let reaction: string
let place: Partition

beforeAll(async () => {
  receiver = await openReceiver()
  world = await openConsoleWorld({ worker: { changeWebhooks: webhooksTo(receiver.url) } })
  const events = partition(world.key('').replace(/:clerk-events:$/, ''))
  using places = await openReactionPartitions(parseRedisUrl(inject('redisUrl')), [events])
  await until(() => places.refresh().then(() => places.names.length === 1))
  reaction = String(places.names[0])
  place = places.partitionOf(reaction)
  if (CHROMIUM) browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await world[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})
beforeEach(async () => {
  receiver.received.length = 0
  receiver.answer = () => ({ status: 204 })
  await json('/api/dead-letters/discard', { filter: { queue: 'reactions', all: true } })
})

async function ask(path: string, body?: object) {
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}`, ...(body && { 'content-type': 'application/json' }) }
  return fetch(`${world.consoleUrl}${path}`, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })
}
const json = async (path: string, body?: object) => JSON.parse(await (await ask(path, body)).text())

const deadLetters = async (): Promise<{ id: string; type: string; objectId: string }[]> =>
  (await json('/api/dead-letters?queue=reactions')).items

/** Users that the receiver rejects: a dead letter each. */
async function refused(count: number): Promise<{ users: string[]; events: string[] }> {
  receiver.answer = () => ({ status: 410 })
  const users = Array.from({ length: count }, () => clerkId('user'))
  const sent = await Promise.all(users.map((id) => world.send(clerkEvent('user.created', clerkUser(id, 1)))))
  await until(async () => (await deadLetters()).length === count)
  receiver.answer = () => ({ status: 204 })
  return { users, events: sent.map(({ id }) => id) }
}

test('dead runs are listed, traced and counted apart from dead events', async () => {
  const { users, events } = await refused(2)
  expect(await deadLetters()).toMatchObject([
    { type: reaction, class: 'poison', code: 'receiver_gone' },
    { type: reaction, class: 'poison', code: 'receiver_gone' },
  ])
  expect((await json('/api/dead-letters')).items).toEqual([])
  const causes = await json('/api/dead-letters/causes?queue=reactions')
  expect(causes.causes).toMatchObject([{ count: 2, advice: expect.stringContaining('CHANGE_WEBHOOK_URLS') }])
  const status = await json('/api/status')
  expect(status).toMatchObject({ queue: { dead: 0 }, reactions: [{ reaction, queue: { dead: 2 } }] })
  const [deadLetter] = (await deadLetters()).filter(({ objectId }) => objectId === users[0])
  const trace = await json(`/api/trace/${events[0]}`)
  expect(trace).toMatchObject({ outcome: 'applied', reactions: [{ reaction, id: deadLetter?.id, where: 'dead' }] })
  expect(await json(`/api/dead-letters/${deadLetter?.id}`)).toMatchObject({ id: deadLetter?.id, objectId: users[0] })
})

test('a replayed run is delivered, with the key that it had, and the trace forgets it', async () => {
  const { users, events } = await refused(3)
  const [deadLetter] = (await deadLetters()).filter(({ objectId }) => objectId === users[1])
  receiver.received.length = 0
  const filter = { queue: 'reactions', object: users[1] }
  expect(await json('/api/dead-letters/replay', { filter })).toEqual({ matched: 1, replayed: 1, skipped: 0 })
  await until(() => receiver.received.length === 1)
  expect(receiver.received[0]?.key).toBe(deadLetter?.id)
  await until(async () => (await json(`/api/trace/${events[1]}`)).reactions.length === 0)
  expect(await deadLetters()).toHaveLength(2)
})

test('the trace of a delete has the runs for what went along, under the ids of their dead letters', async () => {
  const [user, organization, membership] = [clerkId('user'), clerkId('org'), clerkId('orgmem')]
  const member = {
    ...{ id: membership, object: 'organization_membership', role: 'org:member', created_at: 1, updated_at: 1 },
    organization: { id: organization, object: 'organization', name: 'Acme', created_at: 1, updated_at: 1 },
    public_user_data: { user_id: user },
  }
  await world.send(clerkEvent('organizationMembership.created', member))
  await until(() => receiver.received.some(({ body }) => body.data.id === membership))
  receiver.answer = () => ({ status: 410 })
  const { id } = await world.send(clerkEvent('organization.deleted', { id: organization, deleted: true }))
  await until(async () => (await deadLetters()).length === 2)
  const expected = await deadLetters()
  const { reactions } = await json(`/api/trace/${id}`)
  expect(reactions).toHaveLength(2)
  for (const objectId of [organization, membership]) {
    const deadLetter = expected.find((each) => each.objectId === objectId)
    expect(reactions).toContainEqual(expect.objectContaining({ reaction, objectId, id: deadLetter?.id, where: 'dead' }))
  }
})

test('bull-board shows the queue of the reaction, and of its runs ids alone', async () => {
  const { users } = await refused(1)
  const body = new URLSearchParams({ token: OPERATOR_TOKEN })
  const signedIn = await fetch(`${world.consoleUrl}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
  const asked = `/queue/api/queues?activeQueue=${encodeURIComponent(`${place.prefix}:clerk-reactions`)}&status=failed`
  const shown = await fetch(`${world.consoleUrl}${asked}`, { headers: { cookie } })
  const { queues } = JSON.parse(await shown.text())
  expect(queues.map(({ name }: { name: string }) => name)).toEqual(['clerk-events', `${place.prefix}:clerk-reactions`])
  const [job] = queues[1].jobs
  expect(job).toMatchObject({ name: reaction, data: { objectId: users[0], body: { kind: 'user', what: 'created' } } })
  expect(queues[1]).toMatchObject({ counts: { failed: 1 }, readOnlyMode: true })
})

test('a discarded run is gone, on record, and no event in the ledger', async () => {
  await refused(2)
  const before = await world.database.query('SELECT event_id FROM webhook_events')
  const filter = { queue: 'reactions', type: reaction }
  expect(await json('/api/dead-letters/discard', { filter })).toEqual({ matched: 2, discarded: 2, skipped: 0 })
  expect(await deadLetters()).toEqual([])
  expect(await world.database.query('SELECT event_id FROM webhook_events')).toEqual(before)
  const [action] = await world.database.query<{ details: string }>('SELECT * FROM operator_actions ORDER BY id DESC')
  expect(JSON.parse(action?.details ?? '')).toMatchObject({ queue: 'reactions', filter: { type: reaction } })
})

test('a queue of another name is refused, and a queue alone is no filter', async () => {
  expect((await ask('/api/dead-letters?queue=tasks')).status).toBe(400)
  expect((await ask('/api/dead-letters/replay', { filter: { queue: 'reactions' } })).status).toBe(400)
})

test.skipIf(!CHROMIUM)('the pages show the runs of reactions at a switch, and replay them', async () => {
  if (!browser) return
  const { users } = await refused(2)
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(`${world.consoleUrl}/sign-in`)
  await page.getByLabel('Your token').fill(OPERATOR_TOKEN)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('2 dead letters of reactions').waitFor()
  await page.getByRole('link', { name: 'See the causes' }).click()
  await page.getByText('poison/receiver_gone').first().waitFor()
  await page.getByRole('link', { name: /^x_/ }).first().click()
  await page.getByText('Dead letters of reactions').waitFor()
  await page.getByRole('button', { name: 'Replay …' }).click()
  receiver.received.length = 0
  await page.getByRole('button', { name: 'Replay 1 dead letter' }).click()
  await page.getByText('1 dead letter replayed').waitFor()
  await until(() => receiver.received.length === 1)
  expect(users).toContain(receiver.received[0]?.body.data.id)
  await page.goto(`${world.consoleUrl}/dead-letters`)
  await page.getByText('No dead letters').first().waitFor()
  expect(complaints).toEqual([])
})
