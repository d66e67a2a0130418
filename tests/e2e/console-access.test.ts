import { afterAll, beforeAll, expect, test } from 'vitest'
import { WRONG_TOKENS_MAX } from '../../apps/console/src/limits.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld, VIEWER_TOKEN } from '../support/console.js'
import { until } from '../support/until.js'

let world: ConsoleWorld
beforeAll(async () => {
  world = await openConsoleWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${world.consoleUrl}${path}`, { headers, redirect: 'manual' })

function postForm(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const body = new URLSearchParams(fields)
  return fetch(`${world.consoleUrl}${path}`, { method: 'POST', body, headers, redirect: 'manual' })
}

async function signIn(token: string): Promise<string> {
  const response = await postForm('/sign-in', { token })
  expect(response.status).toBe(303)
  return String(response.headers.get('set-cookie')).split(';')[0] ?? ''
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function api(path: string, token: string, body?: object) {
  const sent = body && { method: 'POST', body: JSON.stringify(body) }
  const headers = { ...bearer(token), ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(`${world.consoleUrl}${path}`, { ...sent, headers })
  return { status: response.status, body: await response.json() }
}

const refused = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } })

const PLACES = [
  '/',
  '/dead-letters',
  '/dead-letters/msg_1',
  '/trace?id=msg_1',
  '/workers',
  '/audit',
  '/queue/',
  '/queue/api/queues',
]

test.each(PLACES)('%s leads whoever has not signed in to the sign-in, and from there back', async (place) => {
  const response = await get(place)
  expect(response.status).toBe(302)
  expect(response.headers.get('location')).toBe(`/sign-in?next=${encodeURIComponent(place)}`)
})

test.each([
  '/api/status',
  '/api/activity',
  '/api/dead-letters',
  '/api/dead-letters/causes',
  '/api/dead-letters/export',
  '/api/trace/msg_1',
  '/api/audit',
])('%s takes a token and no cookie', async (path) => {
  expect((await get(path)).status).toBe(401)
  expect((await get(path, { cookie: await signIn(OPERATOR_TOKEN) })).status).toBe(401)
  expect((await get(path, bearer(`${OPERATOR_TOKEN}x`))).status).toBe(401)
  expect([200, 404]).toContain((await get(path, bearer(VIEWER_TOKEN))).status)
})

test('the session is in a cookie that scripts and other sites never get, and signing out ends it', async () => {
  const response = await postForm('/sign-in', { token: OPERATOR_TOKEN, next: '/workers' })
  expect(response.headers.get('location')).toBe('/workers')
  expect(response.headers.get('set-cookie')).toMatch(
    /^clerk_mirror_console=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict$/,
  )
  const cookie = await signIn(OPERATOR_TOKEN)
  expect((await get('/', { cookie })).status).toBe(200)
  const out = await postForm('/sign-out', { form_key: await formKeyOf(cookie) }, { cookie })
  expect(out.headers.get('set-cookie')).toMatch(/^clerk_mirror_console=;.*Max-Age=0$/)
  for (const path of PLACES) {
    const { status, headers } = await get(path, { cookie })
    expect([status, headers.get('location')]).toEqual([302, `/sign-in?next=${encodeURIComponent(path)}`])
  }
})

test('a session that was ended is so for every process of the console, one that starts later among them', async () => {
  const beside = await world.anotherConsole()
  const [cookie, other] = [await signIn(OPERATOR_TOKEN), await signIn(OPERATOR_TOKEN)]
  const seen = async (url: string, of: string) =>
    (await fetch(`${url}/dead-letters`, { headers: { cookie: of }, redirect: 'manual' })).status
  expect(await seen(beside, cookie)).toBe(200)
  await postForm('/sign-out', { form_key: await formKeyOf(cookie) }, { cookie })
  for (const url of [world.consoleUrl, beside, await world.anotherConsole()]) {
    expect(await seen(url, cookie)).toBe(302)
    expect(await seen(url, other)).toBe(200)
  }
})

test('while Redis is away no session is taken, and none is said to be ended', async () => {
  const [cookie, kept] = [await signIn(OPERATOR_TOKEN), await signIn(OPERATOR_TOKEN)]
  const formKey = await formKeyOf(kept)
  await postForm('/sign-out', { form_key: await formKeyOf(cookie) }, { cookie })
  world.wayToRedis.cut()
  for (const path of PLACES) expect((await get(path, { cookie })).status).toBe(503)
  const out = await postForm('/sign-out', { form_key: formKey }, { cookie: kept })
  expect([out.status, out.headers.get('set-cookie')]).toEqual([503, null])
  world.wayToRedis.mend()
  await until(async () => (await get('/dead-letters', { cookie: kept })).status === 200)
  expect((await get('/dead-letters', { cookie })).status).toBe(302)
})

test.each(['//evil.example', 'https://evil.example/', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)'])(
  'nobody is led to %s by signing in',
  async (next) => {
    const response = await postForm('/sign-in', { token: OPERATOR_TOKEN, next })
    expect(response.headers.get('location')).toBe('/')
  },
)

test('every answer forbids scripts of others, frames and caches', async () => {
  for (const path of ['/sign-in', '/', '/nowhere', '/api/status']) {
    const { headers } = await get(path)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
  }
})

test('a page has no script, style or handler of its own', async () => {
  const cookie = await signIn(OPERATOR_TOKEN)
  for (const path of ['/sign-in', '/', '/dead-letters', '/workers', '/audit', '/trace?id=msg_1']) {
    const page = await (await get(path, path === '/sign-in' ? {} : { cookie })).text()
    expect(page).not.toMatch(/<style|\sstyle="|\son\w+="|<script(?! src="\/assets\/console\.js" defer><)/)
  }
})

async function formKeyOf(cookie: string): Promise<string> {
  const page = await (await get('/dead-letters', { cookie })).text()
  return /name="form_key" value="([^"]+)"/.exec(page)?.[1] ?? ''
}

test('a form counts only from a page of this session', async () => {
  const [cookie, other] = [await signIn(OPERATOR_TOKEN), await signIn(OPERATOR_TOKEN)]
  const fields = { verb: 'replay', id: 'msg_1', form_key: await formKeyOf(cookie) }
  const confirm = (changes: Record<string, string>, headers: Record<string, string> = {}) =>
    postForm('/dead-letters/confirm', { ...fields, ...changes }, { cookie, ...headers }).then(({ status }) => status)
  expect(await confirm({})).toBe(200)
  expect(await confirm({}, { origin: world.consoleUrl, 'sec-fetch-site': 'same-origin' })).toBe(200)
  expect(await confirm({ form_key: '' })).toBe(403)
  expect(await confirm({ form_key: await formKeyOf(other) })).toBe(403)
  expect(await confirm({}, { origin: 'https://evil.example' })).toBe(403)
  expect(await confirm({}, { origin: 'null' })).toBe(403)
  expect(await confirm({}, { 'sec-fetch-site': 'cross-site' })).toBe(403)
  expect(await confirm({}, { 'sec-fetch-site': 'same-site' })).toBe(403)
})

test('a viewer sees everything and changes nothing, on the page and through the API', async () => {
  const cookie = await signIn(VIEWER_TOKEN)
  const form_key = await formKeyOf(cookie)
  expect((await get('/dead-letters', { cookie })).status).toBe(200)
  for (const verb of ['replay', 'discard']) {
    for (const path of ['/dead-letters/confirm', '/dead-letters/run']) {
      expect((await postForm(path, { form_key, verb, id: 'msg_1' }, { cookie })).status).toBe(403)
    }
    expect(await api(`/api/dead-letters/${verb}`, VIEWER_TOKEN, { filter: { all: true } })).toEqual(
      refused(403, 'role_forbidden'),
    )
  }
})

test.each([
  ['no filter', {}],
  ['an empty filter', { filter: {} }],
  ['a part that is not known', { filter: { colour: 'red' } }],
  ['a class that is not known', { filter: { class: 'red' } }],
  ['a time that is none', { filter: { since: 'yesterday' } }],
  ['a field that is not known', { filter: { all: true }, force: true }],
  ['a rate of nothing', { filter: { all: true }, ratePerS: 0 }],
])('a discard with %s is refused', async (_, body) => {
  expect(await api('/api/dead-letters/discard', OPERATOR_TOKEN, body)).toEqual(refused(400, 'invalid_request'))
})

test('bull-board is for looking', async () => {
  const cookie = await signIn(OPERATOR_TOKEN)
  expect((await get('/queue/', { cookie })).status).toBe(200)
  expect((await get('/queue/api/queues', { cookie })).status).toBe(200)
  for (const path of ['pause', 'empty', 'obliterate', 'msg_1/retry', 'clean/failed']) {
    const response = await fetch(`${world.consoleUrl}/queue/api/queues/clerk-events/${path}`, {
      method: 'PUT',
      headers: { cookie },
    })
    expect(response.status).toBe(403)
  }
})

test('bull-board is given no more than a page, and says so, whatever it is asked for', async () => {
  const cookie = await signIn(VIEWER_TOKEN)
  for (let index = 0; index < 120; index += 1) {
    const id = `msg_many${index}`
    await world.redis.hset(world.key(id), {
      name: 'user.created',
      data: '{}',
      timestamp: 1,
      failedReason: 'unknown/x: y',
    })
    await world.redis.zadd(world.key('failed'), index, id)
  }
  const ask = async (query: string) => {
    const response = await get(`/queue/api/queues?activeQueue=clerk-events&${query}`, { cookie })
    expect(response.status).toBe(200)
    const { queues } = (await response.json()) as { queues: { jobs: unknown[]; pagination: { pageCount: number } }[] }
    return { jobs: queues[0]?.jobs.length, pages: queues[0]?.pagination.pageCount }
  }
  expect(await ask('status=failed&jobsPerPage=1000000')).toEqual({ jobs: 50, pages: 3 })
  expect(await ask('status=failed&jobsPerPage=1000000&page=3')).toEqual({ jobs: 20, pages: 3 })
  expect(await ask('status=failed&jobsPerPage=7&page=2')).toEqual({ jobs: 7, pages: 18 })
  expect(await ask('status=latest&jobsPerPage=1e15')).toMatchObject({ jobs: 50 })
  expect(await ask('status=failed&jobsPerPage=50&page=99999999999999999999')).toMatchObject({ jobs: 0 })
  const flow = await get('/queue/api/queues/clerk-events/msg_many1/flow?maxChildren=1000&depth=20', { cookie })
  expect(await flow.json()).toEqual({ nodeId: 'msg_many1', flowRoot: null, isFlowNode: false })
  const keys = await world.redis.zrange(world.key('failed'), '0', '-1')
  await world.redis.del(world.key('failed'), ...keys.map(world.key))
})

test('what an event says turns no direction on a page, and commands no terminal that asks the API', async () => {
  const evil = 'user.created\u202e\u009b2J\u2028'
  const data = JSON.stringify({ objectId: `user_${evil}`, instanceId: null, source: 'clerk', body: '{}' })
  const key = world.key('msg_evil')
  await world.redis.hset(key, { name: evil, data, timestamp: 1, failedReason: `unknown/x: ${evil}` })
  await world.redis.zadd(world.key('failed'), 1, 'msg_evil')
  const cookie = await signIn(VIEWER_TOKEN)
  for (const path of ['/dead-letters', '/dead-letters/msg_evil', '/trace?id=msg_evil']) {
    const page = await (await get(path, { cookie })).text()
    // Between the tags; a form sends back what there is.
    expect(page.replace(/<[^>]*>/g, '')).toContain('user.created\\u202e\\u009b2J\\u2028')
    expect(page.replace(/<[^>]*>/g, '')).not.toMatch(/[\u0080-\u009f\u2028-\u202e]/)
  }
  for (const path of [
    '/api/dead-letters',
    '/api/dead-letters/export',
    '/api/dead-letters/msg_evil',
    '/api/trace/msg_evil',
  ]) {
    const text = await (await get(path, bearer(VIEWER_TOKEN))).text()
    expect(text).not.toMatch(/[\u0080-\u009f\u2028-\u202e]/)
    expect(JSON.stringify(JSON.parse(text))).toContain(evil)
  }
  await world.redis.del(key, world.key('failed'))
})

test('probes and Prometheus need no token', async () => {
  for (const path of ['/livez', '/readyz', '/metrics']) expect((await get(path)).status).toBe(200)
})

test('wrong tokens make wait, the right one never, and no token is in the log', async () => {
  const wrong = 'a-wrong-token-that-somebody-typed-or-tried'
  for (let count = 0; count < WRONG_TOKENS_MAX; count += 1) await postForm('/sign-in', { token: wrong })
  const response = await postForm('/sign-in', { token: wrong })
  expect(response.status).toBe(429)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await api('/api/status', wrong)).toEqual(refused(429, 'too_many_attempts'))
  // Another client behind the same address has locked no user out.
  await signIn(OPERATOR_TOKEN)
  expect((await api('/api/status', OPERATOR_TOKEN)).status).toBe(200)
  expect((await api('/api/status', VIEWER_TOKEN)).status).toBe(200)
  expect(await api('/api/status', wrong)).toEqual(refused(429, 'too_many_attempts'))
  const log = world.consoleLogged.join('\n')
  expect(log.split('console.wrong_token').length - 1).toBe(WRONG_TOKENS_MAX)
  for (const token of [wrong, OPERATOR_TOKEN, VIEWER_TOKEN]) expect(log).not.toContain(token)
})
