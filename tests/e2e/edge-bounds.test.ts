import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  BODY_BYTES_MAX,
  BODY_BYTES_SUM_MAX,
  CONNECTIONS_MAX,
  HEADERS_MAX,
  HEADERS_MS,
  REQUEST_MS,
  TIMEOUT_CHECK_MS,
  UNSIGNED_MAX,
} from '../../apps/ingest/src/limits.js'
import { BODY_PIECE_BYTES, UNANSWERED_MAX } from '../../packages/runtime/src/limits.js'
import { bytesOf, nowS, signedRequest, withBody, withHeader, withMore } from '../edge/request.js'
import { besiege } from '../edge/siege.js'
import { type EdgeSite, openEdgeSite } from '../edge/site.js'
import { answersIn, codeOf, exchange, lifeOf } from '../edge/wire.js'
import { health } from '../support/processes/processes.js'
import { until } from '../support/until.js'

const BODY = '{"type":"user.created","data":{"id":"user_1"}}'
const SLACK = 20

let site: EdgeSite
beforeAll(async () => {
  site = await openEdgeSite({ TRUST_PROXY: 'loopback' })
})
afterEach(() => site.clear())
afterAll(() => site?.[Symbol.asyncDispose]())

const signed = (from: string) =>
  withMore(signedRequest({ secret: site.secret, id: 'msg_bounds', body: BODY }), ['x-forwarded-for', from])
const unsigned = (from: string) => withHeader(signed(from), 'svix-signature', undefined)
const stale = (from: string) => withHeader(signed(from), 'svix-timestamp', String(nowS() - 360))
const send = async (request: ReturnType<typeof signed>) => {
  const { answers } = await exchange(site.port, bytesOf(request))
  const [answer] = answers
  return { status: answer?.status, code: answer && codeOf(answer), headers: answer?.headers ?? {} }
}

describe('an address that sends what no signature can make good', () => {
  test('is told to wait after sixty times, with one last line in the log; what it signs is taken all the same', async () => {
    const from = '192.0.2.1'
    for (let count = 0; count < UNSIGNED_MAX; count += 1) {
      const make = count % 2 === 0 ? unsigned : stale
      expect((await send(make(from))).status).toBe(count % 2 === 0 ? 400 : 401)
    }
    await site.ingest.says('ingest.junk') // the last line, which may be on its way to us
    const linesBefore = site.ingest.lines.length
    for (const make of [unsigned, stale]) {
      const refusal = await send(make(from))
      expect(refusal).toMatchObject({ status: 429, code: 'too_many_requests', headers: { connection: 'close' } })
      expect(Number(refusal.headers['retry-after'])).toBeGreaterThan(0)
      expect(Number(refusal.headers['retry-after'])).toBeLessThanOrEqual(60)
    }
    expect(site.ingest.lines.slice(linesBefore)).toEqual([])
    expect(site.ingest.logged('ingest.junk')).toMatchObject([{ address: from, level: 'warn' }])
    expect((await send(signed(from))).status).toBe(202)
    expect((await send(withHeader(signed(from), 'svix-id', 'msg_other'))).code).toBe('invalid_signature')
    expect((await send(unsigned('192.0.2.2'))).code).toBe('missing_header')
    expect(await site.metric('clerk_mirror_ingest_refused_total', 'code="too_many_requests"')).toBe(2)
  })

  test('does not get around it by addresses that it claims itself, before the one that the proxy saw', async () => {
    const claiming = (count: number) => unsigned(`198.51.100.${count}, 192.0.2.77`)
    for (let count = 0; count < UNSIGNED_MAX; count += 1) await send(claiming(count))
    expect((await send(claiming(99))).status).toBe(429)
    expect((await send(unsigned('198.51.100.1'))).status).toBe(400)
  })

  test('does not get around it from another address of its network, by a port, nor by an address that is none', async () => {
    for (let count = 0; count < UNSIGNED_MAX; count += 1) await send(unsigned(`2001:db8:0:1::${count}`))
    expect((await send(unsigned('2001:db8:0:1:ffff::1'))).status).toBe(429)
    expect((await send(unsigned('2001:db8:0:2::1'))).status).toBe(400)
    expect((await send(unsigned('[2001:db8:0:1::1]:4711'))).status).toBe(429)
    for (let count = 0; count < UNSIGNED_MAX; count += 1) await send(unsigned(`nobody-${count}`))
    expect((await send(unsigned('somebody-else'))).status).toBe(429)
    expect((await send(unsigned('192.0.2.5:4711'))).status).toBe(400)
  })
})

test('without TRUST_PROXY, nobody chooses the address under which they are counted', async () => {
  await using alone = await openEdgeSite()
  const statuses = new Set<number | undefined>()
  for (let count = 0; count <= UNSIGNED_MAX; count += 1) {
    const { answers } = await exchange(alone.port, bytesOf(unsigned(`198.51.100.${count}`)))
    statuses.add(answers[0]?.status)
  }
  expect([...statuses]).toEqual([400, 429])
})

test('a body is counted once, also of a client that sends the next request behind it', async () => {
  const large = withBody(signed('192.0.2.8'), Buffer.alloc(BODY_BYTES_MAX, 'x'))
  const both = Buffer.concat([bytesOf(large), bytesOf(signed('192.0.2.8'))])
  const { answers } = await exchange(site.port, both, { answers: 2 })
  expect(answers.map(({ status }) => status)).toEqual([401, 202])
  expect(await site.metric('clerk_mirror_ingest_body_bytes')).toBe(0)
})

test('a body in pieces of one byte counts as the memory that it takes, and is closed', async () => {
  const pieces = Math.ceil(BODY_BYTES_SUM_MAX / BODY_PIECE_BYTES)
  expect(pieces).toBeLessThan(BODY_BYTES_MAX)
  const bare = withHeader(signed('192.0.2.8'), 'content-length', undefined)
  const chunks = Buffer.from('1\r\nx\r\n'.repeat(pieces))
  const endless = { ...withMore(bare, ['transfer-encoding', 'chunked']), framed: chunks }
  expect(await exchange(site.port, bytesOf(endless))).toEqual({ answers: [], isClosed: true })
  expect(await site.metric('clerk_mirror_ingest_connections_closed_total', 'reason="body_memory"')).toBe(1)
  expect((await send(signed('192.0.2.8'))).status).toBe(202)
})

test('a request with more headers than are read is refused: one of the others may be a second signature', async () => {
  const request = signed('192.0.2.8')
  const [host = ['', ''], ...headers] = request.headers
  const before = (count: number) => {
    const others = Array.from({ length: count }, (_, index): [string, string] => [`x-${index}`, 'y'])
    return { ...request, headers: [host, ...others, ...headers] }
  }
  expect((await send(before(HEADERS_MAX - request.headers.length))).status).toBe(202)
  for (const count of [HEADERS_MAX - request.headers.length + 1, 2 * HEADERS_MAX, 6 * HEADERS_MAX]) {
    expect(await send(before(count))).toMatchObject({ status: 431, code: 'headers_too_large' })
  }
})

test('while Redis is nearly full, ingest takes nothing and is not ready; with room again it is, by itself', async () => {
  const used = Number(/used_memory:(\d+)/.exec(await site.redis.info('memory'))?.[1])
  await site.redis.config('SET', 'maxmemory', String(Math.round(used / 0.85)))
  await until(async () => (await health(site.url, '/readyz')).status === 503)
  const cause = 'the memory of Redis is nearly full: no event is taken'
  expect(await health(site.url, '/readyz')).toMatchObject({ body: { checks: { redis: { ok: false, cause } } } })
  expect(await send(signed('192.0.2.9'))).toMatchObject({ status: 503, code: 'redis_full' })
  await site.redis.config('SET', 'maxmemory', '0')
  await until(async () => (await health(site.url, '/readyz')).status === 200)
  expect((await send(signed('192.0.2.9'))).status).toBe(202)
})

const trickle = (socket: Socket) => {
  const timer = setInterval(() => socket.write('x'), 200)
  socket.once('close', () => clearInterval(timer))
}

test('a connection that sends more requests than a few ahead of their answers is closed, and costs nobody else', async () => {
  const greedy = await exchange(site.port, 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2_000), { answers: 2_000 })
  expect(greedy.isClosed).toBe(true)
  expect(greedy.answers.length).toBeLessThanOrEqual(UNANSWERED_MAX)
  expect(await site.metric('clerk_mirror_ingest_connections_closed_total', 'reason="pipelined"')).toBe(1)
  const few = Buffer.concat(Array.from({ length: UNANSWERED_MAX }, () => bytesOf(signed('192.0.2.10'))))
  const { answers } = await exchange(site.port, few, { answers: UNANSWERED_MAX })
  expect(answers.map(({ status }) => status)).toEqual(Array(UNANSWERED_MAX).fill(202))
})

const POST = 'POST /webhooks/clerk'
const line = (name: string, value: string) => `${name}: ${value}\r\n`
/** The beginning of a request, up to its body. */
const headOf = (request: ReturnType<typeof signed>) =>
  bytesOf({ ...request, framed: Buffer.alloc(0) }).toString('latin1')
const awaiting = (request: ReturnType<typeof signed>) => headOf(withMore(request, ['expect', '100-continue']))

describe('a request that is refused for its first line or its headers', () => {
  const long = (target: string) => headOf(withHeader({ ...signed('192.0.2.11'), target }, 'content-length', '900000'))
  const chunked = (target: string) =>
    long(target).replace(line('content-length', '900000'), line('transfer-encoding', 'chunked'))

  test.each([
    ['to an unknown path', () => long('/nope'), 404],
    ['to a path that takes another method', () => long('/livez'), 405],
    ['to an unknown path, without a length', () => chunked('/nope'), 404],
  ])('%s is answered before its body comes', async (_name, head, status) => {
    const { answers, isClosed } = await exchange(site.port, head(), { answers: 1, quietMs: 1_000 })
    expect(answers).toMatchObject([{ status }])
    expect(isClosed).toBe(false)
  })

  test('without a length, or beyond the limit, ends its connection', async () => {
    const endless = headOf(withHeader({ ...signed('192.0.2.11'), target: '/nope' }, 'content-length', '9000000'))
    for (const head of [chunked('/nope'), endless, chunked('/%E0%A4%A')]) {
      const { said } = await lifeOf(site.port, (socket) => socket.write(head))
      expect(answersIn(Buffer.from(said))).toMatchObject([{ status: 404, headers: { connection: 'close' } }])
    }
  })
})

describe('a client that asks before it sends its body', () => {
  const wrong: readonly (readonly [string, () => string, number])[] = [
    ['without a signature', () => awaiting(unsigned('192.0.2.12')), 400],
    ['with a stale timestamp', () => awaiting(stale('192.0.2.12')), 401],
    ['with too large a body', () => awaiting(withHeader(signed('192.0.2.12'), 'content-length', '1048577')), 413],
    [
      'with a body that is no JSON',
      () => awaiting(withHeader(signed('192.0.2.12'), 'content-type', 'text/plain')),
      415,
    ],
    ['to an unknown path', () => awaiting({ ...signed('192.0.2.12'), target: '/nope' }), 404],
    ['to a path that cannot be decoded', () => awaiting({ ...signed('192.0.2.12'), target: '/%E0%A4%A' }), 404],
    ['by another method', () => awaiting(signed('192.0.2.12')).replace(POST, 'PUT /webhooks/clerk'), 405],
  ]
  test.each(wrong)('%s is refused and not asked for it, and the connection ends', async (_name, head, status) => {
    const { said } = await lifeOf(site.port, (socket) => socket.write(head()))
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(said).not.toContain('100 Continue')
  })

  test('with headers that may be signed is asked for it', async () => {
    const request = withMore(signed('192.0.2.12'), ['connection', 'close'])
    const { said } = await lifeOf(site.port, (socket) => {
      socket.write(awaiting(request))
      socket.once('data', () => socket.write(request.body))
    })
    expect(said).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 202 /)
  })
})

test.concurrent('who is slow with headers or with a body is cut off in time, and honest events are taken meanwhile', async ({
  annotate,
}) => {
  const inHeaders = lifeOf(site.port, (socket) => {
    socket.write('POST /webhooks/clerk HTTP/1.1\r\nhost: x\r\nx-slow: ')
    trickle(socket)
  })
  const inBody = lifeOf(site.port, (socket) => {
    socket.write(bytesOf(withHeader({ ...signed('192.0.2.3'), framed: Buffer.from('{') }, 'content-length', '1000000')))
    trickle(socket)
  })
  await until(async () => (await send(signed('192.0.2.4'))).status === 202)
  const lives = await Promise.all([inHeaders, inBody])
  for (const [{ livedMs, said }, limitMs] of [[lives[0], HEADERS_MS] as const, [lives[1], REQUEST_MS] as const]) {
    expect(said).toContain('408')
    expect(said).toContain('request_timeout')
    expect(livedMs).toBeGreaterThan(limitMs - 100)
    expect(livedMs).toBeLessThan(limitMs + SLACK * TIMEOUT_CHECK_MS)
  }
  expect((await send(signed('192.0.2.4'))).status).toBe(202)
  await annotate(`lives of ${lives.map((life) => Math.round(life.livedMs)).join(', ')} ms`)
}, 120_000)

test.concurrent('a siege by slow connections, pipelined requests and junk, all at once, keeps no honest event out', async ({
  annotate,
}) => {
  await using besieged = await openEdgeSite()
  const { violations, ...report } = await besiege(besieged, { slow: 500, pipelining: 20, junk: 4, durationMs: 8000 })
  await annotate(JSON.stringify(report))
  expect(violations).toEqual([])
  expect(report.openMost).toBeGreaterThan(400)
  expect(report.pipelined).toBeGreaterThan(20)
  expect(report.refused).toBeGreaterThan(100)
  expect(report.openMost).toBeLessThanOrEqual(CONNECTIONS_MAX)
})
