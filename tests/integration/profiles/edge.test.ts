import type { Socket } from 'node:net'
import { Releasers } from '@clerk-mirror/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BODY_BYTES_MAX, HEADERS_MS, REQUEST_MS, SILENCE_MS } from '../../../apps/profiles/src/limits.js'
import { UNANSWERED_MAX } from '../../../packages/runtime/src/limits.js'
import { bytesOf, type Request, withMore } from '../../edge/request.js'
import { answersIn, exchange, type Life, lifeOf } from '../../edge/wire.js'
import { clerkId } from '../../support/clerk-events.js'
import { KeptConnection } from '../../support/http/keep-alive-connection.js'
import { openTestDatabase } from '../../support/mysql/database.js'
import { bearer, openSite, type Site } from '../../support/profiles/profiles.js'
import { until } from '../../support/until.js'

/** The clocks of the test and of the server, and the steps of Node's timers, differ by less. */
const CLOCK_MS = 200

const EDIT = '{"tagline":null,"blocks":[]}'

const asking = (method: string, target: string, ...headers: [string, string][]): Request => ({
  ...{ method, target, version: 'HTTP/1.1', body: Buffer.alloc(0), framed: Buffer.alloc(0) },
  headers: [['host', 'profiles.example.com'], ...headers],
})
const JSON_TYPE: [string, string] = ['content-type', 'application/json']
const sized = (bytes: number): [string, string] => ['content-length', String(bytes)]
const tokenOf = (id = clerkId('user')) => Object.entries(bearer(id)) as [string, string][]
const saving = (...headers: [string, string][]) => asking('PUT', '/me', ...headers, JSON_TYPE)

let owned: Releasers
let site: Site
let slow: Record<'silent' | 'inHeaders' | 'inBody', Promise<Life>>
let idle: KeptConnection
beforeAll(async () => {
  owned = new Releasers()
  const database = owned.use(await openTestDatabase())
  site = owned.use(await openSite(database.options))
  idle = await KeptConnection.open(site.port)
  owned.defer(async () => idle[Symbol.dispose]())
  await idle.get('/livez')
  // They mostly wait: the other tests run meanwhile, and the last one reads the results.
  const life = (begin: (socket: Socket) => void) => lifeOf(site.port, begin)
  slow = {
    silent: life(() => {}),
    inHeaders: life((socket) => socket.write('GET /profiles HTTP/1.1\r\nhost: x\r\nx-slow: ')),
    inBody: life((socket) => {
      socket.write(bytesOf({ ...saving(...tokenOf(), sized(1000)), framed: Buffer.from('{"tagline":') }))
    }),
  }
})
afterAll(() => owned?.[Symbol.asyncDispose]())

async function closedAsPipelined(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${site.metricsPort}/metrics`)).text()
  const series = /^clerk_mirror_profiles_connections_closed_total\{reason="pipelined",[^}]*\} (\d+)$/m.exec(text)
  return Number(series?.[1] ?? 0)
}

describe('requests that are sent ahead of their answers', () => {
  test('end their connection beyond a few, and other visitors are served', async () => {
    const greedy = exchange(site.port, bytesOf(asking('GET', '/')).toString().repeat(1000), { answers: 1000 })
    const others = await Promise.all(Array.from({ length: 20 }, () => site.get('/')))
    expect(others.map(({ status }) => status)).toEqual(Array(20).fill(200))
    const { answers, isClosed } = await greedy
    expect(isClosed).toBe(true)
    expect(answers.length).toBeLessThanOrEqual(UNANSWERED_MAX)
    expect(await closedAsPipelined()).toBe(1)
  })

  test('are all served up to that', async () => {
    const closedBefore = await closedAsPipelined()
    const few = Buffer.concat(Array.from({ length: UNANSWERED_MAX }, () => bytesOf(asking('GET', '/profiles'))))
    const { answers } = await exchange(site.port, few, { answers: UNANSWERED_MAX })
    expect(answers.map(({ status }) => status)).toEqual(Array(UNANSWERED_MAX).fill(200))
    expect(await closedAsPipelined()).toBe(closedBefore)
  })
})

const REFUSED: readonly (readonly [string, () => Request, number])[] = [
  ['to an unknown path', () => asking('POST', '/nope', ...tokenOf(), JSON_TYPE), 404],
  ['to a path that cannot be decoded', () => asking('PUT', '/%E0%A4%A', ...tokenOf(), JSON_TYPE), 404],
  ['to a path that takes another method', () => asking('POST', '/me', ...tokenOf(), JSON_TYPE), 405],
  ['to a page', () => asking('PUT', '/@ada', ...tokenOf(), JSON_TYPE), 405],
  ['without a token', () => saving(), 401],
  ['with a token that is none', () => saving(['authorization', 'Bearer x.y.z']), 401],
  [
    'with the cookie of a page of another site',
    () =>
      saving(
        ['cookie', `__session=${bearer(clerkId('user')).authorization.slice(7)}`],
        ['origin', 'https://x.example'],
      ),
    403,
  ],
]

describe('a request that is refused for its first line or its headers', () => {
  test.each(REFUSED)('%s is answered before its body comes', async (_name, request, status) => {
    const head = bytesOf(withMore(request(), sized(BODY_BYTES_MAX)))
    const { answers } = await exchange(site.port, head, { answers: 1 })
    expect(answers).toMatchObject([{ status }])
  })

  test.each(REFUSED)('%s is answered, and its connection closed, before a body without an end', async (...refused) => {
    const [, request, status] = refused
    for (const endless of [sized(1e12), ['transfer-encoding', 'chunked'] as [string, string]]) {
      const { said } = await lifeOf(site.port, (socket) => socket.write(bytesOf(withMore(request(), endless))))
      expect(answersIn(Buffer.from(said))).toMatchObject([{ status, headers: { connection: 'close' } }])
    }
  })
})

describe('a client that asks before it sends its body', () => {
  const awaiting = (request: Request, bytes = EDIT.length) =>
    bytesOf(withMore(request, sized(bytes), ['expect', '100-continue']))

  const wrong: typeof REFUSED = [
    ...REFUSED,
    ['with a body of another type', () => asking('PUT', '/me', ...tokenOf(), ['content-type', 'text/plain']), 415],
  ]
  test.each(wrong)('%s is refused and not asked for it, and the connection ends', async (_name, request, status) => {
    const { said } = await lifeOf(site.port, (socket) => socket.write(awaiting(request())))
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(said).not.toContain('100 Continue')
  })

  test('with too large a one is refused and not asked for it', async () => {
    const head = awaiting(saving(...tokenOf()), BODY_BYTES_MAX + 1)
    const { said } = await lifeOf(site.port, (socket) => socket.write(head))
    expect(said).toMatch(/^HTTP\/1\.1 413 /)
    expect(said).not.toContain('100 Continue')
  })

  test('and is signed in is asked for it', async () => {
    const { said } = await lifeOf(site.port, (socket) => {
      socket.write(awaiting(saving(...tokenOf(), ['connection', 'close'])))
      socket.once('data', () => socket.write(EDIT))
    })
    expect(said).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  })
})

test('a connection that says nothing, or stops within its headers or its body, is closed in time; an idle one is not', async () => {
  const [silent, inHeaders, inBody] = await Promise.all([slow.silent, slow.inHeaders, slow.inBody])
  for (const { livedMs } of [silent, inHeaders]) expect(livedMs).toBeGreaterThan(HEADERS_MS - CLOCK_MS)
  expect(inHeaders.said).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s)
  expect(inBody.livedMs).toBeGreaterThan(SILENCE_MS - CLOCK_MS)
  // The limit of the whole request comes later, and would have said 408.
  expect(SILENCE_MS).toBeLessThan(REQUEST_MS)
  expect(inBody.said).toBe('')
  expect(idle.isClosed).toBe(false)
  expect((await idle.get('/livez')).status).toBe(200)
  await until(async () => (await site.get('/profiles')).status === 200)
})
