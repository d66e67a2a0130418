import { inspect } from 'node:util'
import type { ApiNotice } from '@clerk-mirror/clerk-api'
import { Secret } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { apiErrorOf, clientOf, idsOf, openClerkPair, putMany } from '../../support/clerk-stand-in.js'
import { collect, until } from '../../support/until.js'

/** A client's notices of one kind. */
function recorder() {
  const notices: ApiNotice[] = []
  const of = <K extends ApiNotice['kind']>(kind: K) =>
    notices.filter((notice): notice is Extract<ApiNotice, { kind: K }> => notice.kind === kind)
  return { observer: (notice: ApiNotice) => void notices.push(notice), of }
}

/** No second that begins with a request has more of them than this. */
function mostInOneSecond(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
}

test('the instance names itself and its environment, and is asked once', async () => {
  await using pair = await openClerkPair({}, { instanceId: 'ins_a', environmentType: 'development' })
  expect(await pair.api.instance()).toEqual({ id: 'ins_a', environmentType: 'development' })
  await pair.api.instance()
  expect(pair.clerk.requests).toHaveLength(1)
})

test('all callers together send no more requests than the rate, also after a pause', async () => {
  await using pair = await openClerkPair({ requestsPerSecond: 20 })
  const { clerk, api } = pair
  await api.count('user')
  await new Promise((resolve) => setTimeout(resolve, 500))
  await Promise.all(Array.from({ length: 40 }, () => api.count('user')))
  const times = clerk.requests.map(({ atMs }) => atMs)
  expect((times.at(-1) ?? 0) - (times[1] ?? 0)).toBeGreaterThan(38 * 50)
  // Some arrive late, and those behind them in time; without a rate it would be all 40.
  expect(mostInOneSecond(times)).toBeLessThanOrEqual(30)
})

test.each([
  ['production', 20],
  ['development', 2],
] as const)(
  'without a rate, a %s instance is asked a fifth of what Clerk grants: %i a second',
  async (environmentType, rate) => {
    const { observer, of } = recorder()
    await using pair = await openClerkPair({ observer, requestsPerSecond: undefined }, { environmentType })
    await pair.api.count('user')
    pair.clerk.faults.throttled = 1
    const stop = new AbortController()
    const refused = pair.api.count('user', { signal: stop.signal })
    await until(() => of('throttled').length > 0)
    stop.abort()
    await expect(refused).rejects.toThrow()
    expect(of('throttled')[0]).toMatchObject({ requestsPerSecond: rate / 2 })
  },
)

test('after a 429 the endpoint rests for as long as Clerk says, and the rate is half for the rest of the run', async () => {
  const { observer, of } = recorder()
  await using pair = await openClerkPair({
    observer,
    requestsPerSecond: 1_000,
    retryPolicy: { throttledMaxMs: 60_000 },
  })
  const { clerk, api } = pair
  putMany(clerk, 'user', 600)
  clerk.faults.throttled = 1
  const counted = api.count('organization')
  await until(() => of('throttled').length > 0)
  clerk.faults.throttled = 0
  expect(await api.count('user')).toBe(600)
  expect(await counted).toBe(0)

  const [refused, again] = clerk.requests.filter(({ endpoint }) => endpoint === '/organizations')
  const other = clerk.requests.find(({ endpoint }) => endpoint === '/users/count')
  expect([refused?.status, again?.status]).toEqual([429, 200])
  expect((again?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(990)
  expect(other?.atMs).toBeLessThan(again?.atMs ?? 0)
  expect(of('throttled')).toMatchObject([{ endpoint: '/organizations', restMs: 1_000, requestsPerSecond: 500 }])
})

test('requests that were on their way together halve the rate once', async () => {
  const { observer, of } = recorder()
  await using pair = await openClerkPair({ observer, requestsPerSecond: 10_000 })
  const { clerk, api } = pair
  Object.assign(clerk.faults, { throttledBare: 1, slow: 1, slowMs: 300 })
  const all = Promise.all([api.count('user'), api.count('organization'), api.count('role')])
  await until(() => of('throttled').length >= 3)
  clerk.faults.throttledBare = 0
  await all
  expect(of('throttled').slice(0, 3)).toMatchObject([5_000, 5_000, 5_000].map((rate) => ({ requestsPerSecond: rate })))
})

test('a 429 without Retry-After rests for longer each time, and is given up in the end', async () => {
  const { observer, of } = recorder()
  await using pair = await openClerkPair({ observer, retryPolicy: { throttledTries: 5, throttledMaxMs: 1_000 } })
  pair.clerk.faults.throttledBare = 1
  expect(await apiErrorOf(pair.api.count('user'))).toMatchObject({ code: 'clerk_api_unavailable' })
  const rests = of('throttled').map(({ restMs }) => restMs)
  expect(rests).toHaveLength(4)
  expect(rests).toEqual(rests.toSorted((a, b) => a - b))
  expect(pair.clerk.requests).toHaveLength(5)
})

test.each([
  ['failed', {}],
  ['reset', {}],
  ['truncated', {}],
  ['slow', { slowMs: 400 }],
] as const)(
  'a request that meets %s is sent ten times, each after a longer delay, and then given up',
  async (fault, more) => {
    const { observer, of } = recorder()
    await using pair = await openClerkPair({ observer, retryPolicy: { answerMs: 50, retryMaxMs: 1_000 } })
    Object.assign(pair.clerk.faults, { [fault]: 1 }, more)
    const error = await apiErrorOf(pair.api.count('user'))
    expect(error).toMatchObject({ code: 'clerk_api_unavailable' })
    expect(error.message).toMatch(/^Clerk's API gives no answer at \/users\/count: .+, 10 times$/)
    expect(pair.clerk.requests).toHaveLength(10)
    const delays = of('retried').map(({ delayMs }) => delayMs)
    expect(delays).toEqual(delays.toSorted((a, b) => a - b))
  },
)

test('an outage in the middle of a walk delays it, and one that lasts ends it with an error, never as done', async () => {
  const { observer, of } = recorder()
  await using pair = await openClerkPair({ observer, retryPolicy: { retryMaxMs: 50 } })
  const { clerk, api } = pair
  putMany(clerk, 'organization', 1_400)
  const walk = api.walk('organization')
  await walk.next()
  clerk.isDown = true
  const second = walk.next()
  await until(() => of('retried').length >= 3)
  clerk.isDown = false
  expect((await second).value).toMatchObject({ isLast: false })
  clerk.isDown = true
  expect(await apiErrorOf(walk.next())).toMatchObject({ code: 'clerk_api_unavailable' })
  expect(await walk.next()).toMatchObject({ done: true, value: undefined })
})

test('nothing listens there: the command says so and how', async () => {
  await using pair = await openClerkPair()
  await using api = clientOf({ ...pair.clerk, url: 'http://127.0.0.1:1', secretKey: 'sk_x' })
  expect((await apiErrorOf(api.count('user'))).message).toContain('ECONNREFUSED')
})

test('a revoked key ends the walk at once, and nobody reads the key in the error', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 700)
  const walk = api.walk('user')
  await walk.next()
  const before = clerk.requests.length
  clerk.isRevoked = true
  const error = await apiErrorOf(walk.next())
  expect(error).toMatchObject({ code: 'clerk_api_key_refused', status: 401 })
  expect(clerk.requests).toHaveLength(before + 1)
  expect(inspect(error, { depth: null }) + inspect(api, { depth: null })).not.toContain(clerk.secretKey)
})

test.each([
  [400, 'api_version_invalid', 'clerk_api_version_refused'],
  [403, 'organization_not_enabled_in_instance', 'clerk_api_kind_disabled'],
  [402, 'payment_required', 'clerk_api_kind_disabled'],
  [403, 'authorization_invalid', 'clerk_api_key_refused'],
  [401, 'clerk_key_invalid', 'clerk_api_key_refused'],
  [422, 'form_param_invalid', 'clerk_api_refused'],
  [302, null, 'clerk_api_refused'],
] as const)('an answer of %i %s is no reason to ask again: %s', async (status, code, expected) => {
  await using pair = await openClerkPair()
  pair.clerk.intercept = () => ({
    status,
    body: code ? JSON.stringify({ errors: [{ code, message: 'sk_test' }] }) : '',
  })
  const error = await apiErrorOf(pair.api.count('organization'))
  expect(error).toMatchObject({ code: expected, status })
  expect(error.message).not.toContain('sk_')
  expect(pair.clerk.requests).toHaveLength(1)
})

test('organizations that are switched off are told apart from a wrong key', async () => {
  await using pair = await openClerkPair()
  pair.clerk.behaviour.disabled = new Set(['organization'])
  expect(await apiErrorOf(collect(pair.api.walk('organization')))).toMatchObject({ code: 'clerk_api_kind_disabled' })
})

test.each([
  ['a page of zero where its total says more', '{"data":[],"total_count":9}', 'clerk_api_inconsistent'],
  [
    'a list that is not in the order of creation',
    '{"data":[{"id":"a","created_at":2},{"id":"b","created_at":1}],"total_count":2}',
    'clerk_api_inconsistent',
  ],
  ['a page without a total', '[]', 'clerk_api_inconsistent'],
  ['a page of a proxy', '<html>sign in</html>', 'clerk_api_unavailable'],
  ['an object without an id', '{"data":[{}],"total_count":1}', 'clerk_api_unavailable'],
] as const)('%s is an error and no end', async (_, body, code) => {
  await using pair = await openClerkPair()
  pair.clerk.intercept = () => ({ status: 200, body })
  expect(await apiErrorOf(collect(pair.api.walk('organization')))).toMatchObject({ code })
})

test('a list of users that ends before their count does is an error and no end', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  putMany(clerk, 'user', 700)
  clerk.intercept = (path) => (path.includes('after=') ? { status: 200, body: '[]' } : undefined)
  const ids: string[] = []
  const walked = async () => {
    for await (const page of api.walk('user')) ids.push(...idsOf([page]))
  }
  expect(await apiErrorOf(walked())).toMatchObject({ code: 'clerk_api_inconsistent' })
  expect(ids).toHaveLength(500)
})

test('a page that is larger than is read comes in smaller ones', async () => {
  await using pair = await openClerkPair()
  const { clerk, api } = pair
  const large = 'x'.repeat(120_000)
  for (let n = 0; n < 400; n += 1) clerk.put('organization', { id: `org_${1_000 + n}`, created_at: n, large })
  expect(idsOf(await collect(api.walk('organization')))).toEqual(clerk.ids('organization'))
})

test('an abort ends waits and requests with its own reason', async () => {
  const { observer, of } = recorder()
  const stop = new AbortController()
  await using pair = await openClerkPair({ observer, signal: stop.signal, retryPolicy: { throttledMaxMs: 60_000 } })
  Object.assign(pair.clerk.faults, { throttled: 1, retryAfterS: 60 })
  const counted = pair.api.count('user')
  await until(() => of('throttled').length > 0)
  stop.abort(new Error('stopped by the operator'))
  await expect(counted).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'stopped by the operator' } })

  await using other = await openClerkPair()
  Object.assign(other.clerk.faults, { slow: 1, slowMs: 5_000 })
  const own = new AbortController()
  const found = other.api.find('user', { id: 'user_1' }, own.signal)
  await until(() => other.clerk.requests.length > 0)
  own.abort(new Error('no longer wanted'))
  await expect(found).rejects.toThrow('no longer wanted')
})

test('each request names the version and a bearer key', async () => {
  await using pair = await openClerkPair()
  const seen: unknown[] = []
  pair.clerk.intercept = (_, headers) => {
    seen.push([headers.authorization, headers['clerk-api-version'], headers['user-agent']])
    return undefined
  }
  await pair.api.count('user')
  expect(seen).toEqual([[`Bearer ${pair.clerk.secretKey}`, '2026-05-12', 'clerk-mirror']])
})

test('an address with a path of its own keeps it', async () => {
  await using pair = await openClerkPair()
  await using api = clientOf(pair.clerk, { url: new URL(`${pair.clerk.url}/clerk/`), secretKey: new Secret('sk_x') })
  await apiErrorOf(api.count('user'))
  expect(pair.clerk.requests[0]?.path).toBe('/clerk/v1/users/count')
})
