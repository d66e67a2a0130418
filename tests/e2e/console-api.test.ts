import { afterAll, beforeAll, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld, VIEWER_TOKEN } from '../support/console.js'

let world: ConsoleWorld
const ada = clerkId('user')
let applied: string
let malformed: string[]

beforeAll(async () => {
  world = await openConsoleWorld()
  applied = (await world.send(clerkEvent('user.created', clerkUser(ada, 1000)))).id
  const broken = () => clerkEvent('user.created', { ...clerkUser('x', 1, { first_name: 'Adelheid' }), id: 7 })
  malformed = [(await world.send(broken())).id, (await world.send(broken())).id]
  await world.send({ ...clerkEvent('user.created', {}), data: 'no object' })
  await world.settled()
})
afterAll(() => world[Symbol.asyncDispose]())

async function ask(path: string, body?: object, token = OPERATOR_TOKEN) {
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const sent = body && { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${world.consoleUrl}${path}`, { headers, ...sent })
  return { status: response.status, text: await response.text() }
}

async function json(path: string, body?: object) {
  const { status, text } = await ask(path, body)
  expect(status).toBe(200)
  return JSON.parse(text)
}

test('status counts what waits, what died and who works', async () => {
  // On a busy machine the last event may still leave the queue, and a heartbeat may be late.
  await expect
    .poll(() => json('/api/status'), { timeout: 30_000 })
    .toMatchObject({
      queue: { waiting: 0, active: 0, retrying: 0, dead: 3 },
      breaker: 'closed',
      workers: [{ pid: process.pid, breaker: 'closed' }],
      outcomesLastHour: { applied: 1 },
    })
})

test('activity has a point for each minute of the last hour', async () => {
  const points: { outcomes: Record<string, number> }[] = await json('/api/activity')
  expect(points).toHaveLength(60)
  expect(points.reduce((sum, { outcomes }) => sum + (outcomes['applied'] ?? 0), 0)).toBe(1)
})

test('letters come a page at a time, in the shape that the CLI prints', async () => {
  const first = await json('/api/dead-letters?limit=2')
  const rest = await json(`/api/dead-letters?limit=2&cursor=${encodeURIComponent(first.cursor)}`)
  expect([first.items.length, rest.items.length, rest.cursor]).toEqual([2, 1, null])
  // Which comes first is open: those that died in the same millisecond are in the order of their ids.
  const all: { id: string }[] = [...first.items, ...rest.items]
  expect(all.find(({ id }) => id === malformed[0])).toEqual({
    id: malformed[0],
    type: 'user.created',
    objectId: null,
    class: 'poison',
    code: 'malformed',
    message: expect.stringContaining('data.id'),
    fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/),
    attempts: 1,
    receivedAt: expect.stringMatching(/Z$/),
    failedAt: expect.stringMatching(/Z$/),
  })
})

test('a filter narrows list, causes and export alike', async () => {
  const { total, causes } = await json('/api/dead-letters/causes')
  expect([total, causes.length]).toEqual([3, 2])
  const query = `?fingerprint=${causes[0].fingerprint}&type=user.created`
  expect((await json(`/api/dead-letters${query}`)).items).toHaveLength(2)
  expect(await json(`/api/dead-letters/causes${query}`)).toMatchObject({ total: 2 })
  const { text } = await ask(`/api/dead-letters/export${query}`)
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line).id).toSorted()).toEqual(malformed.toSorted())
})

test('one dead letter is shown with its stack and without its payload', async () => {
  const { text } = await ask(`/api/dead-letters/${malformed[0]}`)
  expect(JSON.parse(text)).toMatchObject({ id: malformed[0], source: 'clerk', stack: expect.any(String) })
  expect(text).not.toContain('Adelheid')
  expect((await ask('/api/dead-letters/msg_nobody')).status).toBe(404)
})

test('an event and an object are traced', async () => {
  expect(await json(`/api/trace/${applied}`)).toMatchObject({ kind: 'event', where: 'decided', outcome: 'applied' })
  expect(await json(`/api/trace/${ada}`)).toMatchObject({ kind: 'object', state: 'stored' })
  expect((await ask('/api/trace/user_nobody')).status).toBe(404)
})

test('a dry run counts and touches nothing; a replay and a discard are on record with who asked', async () => {
  const filter = { ids: malformed }
  expect(await json('/api/dead-letters/discard', { filter, dryRun: true })).toEqual({
    matched: 2,
    discarded: 0,
    skipped: 0,
  })
  expect(await json('/api/status')).toMatchObject({ queue: { dead: 3 } })
  expect(await json('/api/dead-letters/replay', { filter })).toEqual({ matched: 2, replayed: 2, skipped: 0 })
  await world.settled()
  expect(await json('/api/dead-letters/discard', { filter })).toEqual({ matched: 2, discarded: 2, skipped: 0 })
  expect(await json('/api/status')).toMatchObject({ queue: { dead: 1 } })
  expect(await json('/api/audit')).toMatchObject({
    items: [
      { actor: 'ada', action: 'discard', counts: { discarded: 2 } },
      { actor: 'ada', action: 'replay', counts: { replayed: 2 } },
    ],
  })
})

test('what waits for its next try is asked for by a program too, and by viewers in vain', async () => {
  const filter = { all: true }
  expect(await json('/api/dead-letters/retry-now', { filter })).toEqual({ matched: 0, retried: 0, skipped: 0 })
  const since = { since: '2026-01-01' }
  expect((await ask('/api/dead-letters/retry-now', { filter: since })).status).toBe(400)
  expect((await ask('/api/dead-letters/retry-now', { filter }, VIEWER_TOKEN)).status).toBe(403)
})

test.each(['limit=0', 'limit=1001', 'limit=x', 'class=red', 'since=soon', 'cursor=somewhere'])(
  'a list with %s is refused',
  async (query) => {
    const { status, text } = await ask(`/api/dead-letters?${query}`, undefined, VIEWER_TOKEN)
    expect([status, JSON.parse(text).error.code]).toEqual([400, 'invalid_request'])
  },
)
