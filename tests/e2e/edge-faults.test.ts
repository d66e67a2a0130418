import { createHmac } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { REFUSALS } from '../../apps/ingest/src/errors.js'
import {
  bytesOf,
  chunked,
  headerOf,
  nowS,
  type Request,
  signedRequest,
  withBody,
  withHeader,
  withMore,
} from '../edge/request.js'
import { type EdgeSite, openEdgeSite } from '../edge/site.js'
import { codeOf, exchange } from '../edge/wire.js'

/** In every part of every request but the id of one that is signed: none of it may be found anywhere. */
const MARKER = 'MARKER4711'
const ID = 'msg_edge'
const BODY = JSON.stringify({ type: 'user.created', data: { id: 'user_1', first_name: MARKER } })
const OTHER_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

let site: EdgeSite
beforeAll(async () => {
  // Each row comes from an address of its own, as behind a proxy: none of them has used up its failures.
  site = await openEdgeSite({ TRUST_PROXY: 'loopback' })
})
afterEach(() => site.clear())
afterAll(() => site?.[Symbol.asyncDispose]())

let source = 0
const signed = (body: string | Buffer = BODY, changes: { secret?: string; atS?: number; id?: string } = {}) => {
  source += 1
  const request = signedRequest({ secret: site.secret, id: ID, body, ...changes })
  return withMore(request, ['x-forwarded-for', `10.0.${source >> 8}.${source & 255}`], ['user-agent', MARKER])
}
const withSignature = (request: Request, change: (signature: string) => string) =>
  withHeader(request, 'svix-signature', change(headerOf(request, 'svix-signature')))
const text = (request: Request) => bytesOf(request).toString('latin1')
const raw = (edited: string) => Buffer.from(edited, 'latin1')
/** The bytes of a body, with a signature that was made for others. */
const changed = (change: (bytes: Buffer) => Buffer) => {
  const request = signed()
  return withBody(request, change(Buffer.from(request.body)))
}
const standardNames = (request: Request): Request => ({
  ...request,
  headers: request.headers.map(([name, value]) => [name.replace('svix-', 'webhook-'), value]),
})

type Row = [name: string, bytes: () => Request | Buffer, status: number, code: keyof typeof REFUSALS | 'accepted']
const ACCEPTED = [202, 'accepted'] as const
const NO_MATCH = [401, 'invalid_signature'] as const
const MALFORMED = [400, 'malformed_request'] as const

const SIGNATURES: Row[] = [
  ['as Svix sends it', () => signed(), ...ACCEPTED],
  ['with the names of Standard Webhooks', () => standardNames(signed()), ...ACCEPTED],
  ['with the right signature among wrong ones', () => withSignature(signed(), (s) => `v1,bm8= v2,x ${s}`), ...ACCEPTED],
  ['with another key', () => signed(BODY, { secret: OTHER_SECRET }), ...NO_MATCH],
  ['with a truncated signature', () => withSignature(signed(), (s) => s.slice(0, -1)), ...NO_MATCH],
  ['with nothing but a version', () => withSignature(signed(), () => 'v1,'), ...NO_MATCH],
  ['with nothing but commas', () => withSignature(signed(), () => ',,,,'), ...NO_MATCH],
  [
    'with a signature whose characters are re-ordered',
    () => withSignature(signed(), (s) => `v1,${[...s.slice(3)].reverse().join('')}`),
    ...NO_MATCH,
  ],
  ['with a signature that begins with the right one', () => withSignature(signed(), (s) => `${s}AAAA`), ...NO_MATCH],
  [
    'with the right signature of another version',
    () => withSignature(signed(), (s) => s.replace('v1', 'v1a')),
    ...NO_MATCH,
  ],
  ['with the version in capitals', () => withSignature(signed(), (s) => s.replace('v1', 'V1')), ...NO_MATCH],
  [
    'with a signature in URL-safe base64',
    () => withSignature(signed(), (s) => `v1,${Buffer.from(s.slice(3), 'base64').toString('base64url')}`),
    ...NO_MATCH,
  ],
  [
    'with five hundred wrong signatures',
    () => withSignature(signed(), () => 'v1,AAAA '.repeat(500).trim()),
    ...NO_MATCH,
  ],
  ["with another message's id", () => withHeader(signed(), 'svix-id', `${ID}2`), ...NO_MATCH],
  ["with another message's body", () => withBody(signed(), Buffer.from(BODY.replace('user_1', 'user_2'))), ...NO_MATCH],
  ["with another second's timestamp", () => withHeader(signed(), 'svix-timestamp', String(nowS() - 7)), ...NO_MATCH],
  ['replayed after six minutes', () => signed(BODY, { atS: nowS() - 360 }), 401, 'stale_timestamp'],
  ['six minutes ahead', () => signed(BODY, { atS: nowS() + 360 }), 401, 'stale_timestamp'],
  [
    'with a timestamp in milliseconds',
    () => withHeader(signed(), 'svix-timestamp', String(Date.now())),
    401,
    'stale_timestamp',
  ],
  ...['now', '1e9', '-1', '+1', '0x10', '1.5', '1 2', '9'.repeat(16), '٣'].map(
    (value): Row => [
      `with the timestamp "${value}"`,
      () => withHeader(signed(), 'svix-timestamp', value),
      400,
      'invalid_timestamp',
    ],
  ),
  ...['svix-id', 'svix-timestamp', 'svix-signature'].flatMap((name): Row[] => [
    [`without ${name}`, () => withHeader(signed(), name, undefined), 400, 'missing_header'],
    [`with an empty ${name}`, () => withHeader(signed(), name, ''), 400, 'missing_header'],
    [
      `with ${name} twice, the same`,
      () => ((r) => withMore(r, [name, headerOf(r, name)]))(signed()),
      400,
      'repeated_header',
    ],
    [
      `with ${name} twice, the second one wrong`,
      () => withMore(signed(), [name.toUpperCase(), '1']),
      400,
      'repeated_header',
    ],
  ]),
  [
    'with a changed byte',
    () => changed((b) => Buffer.from(b.map((byte, at) => (at === 9 ? byte ^ 1 : byte)))),
    ...NO_MATCH,
  ],
  ['with a byte more', () => changed((b) => Buffer.concat([b, Buffer.from(' ')])), ...NO_MATCH],
  ['with a byte less', () => changed((b) => b.subarray(1)), ...NO_MATCH],
  ['with nothing in place of the body', () => changed(() => Buffer.alloc(0)), ...NO_MATCH],
]

const CONTENT: Row[] = [
  ['with an id of 10 kB', () => withHeader(signed(), 'svix-id', MARKER.repeat(1000)), ...NO_MATCH],
  ['signed, with an id of 10 kB', () => signed(BODY, { id: 'm'.repeat(10_000) }), ...ACCEPTED],
  ['with an id of 20 kB', () => withHeader(signed(), 'svix-id', MARKER.repeat(2000)), 431, 'headers_too_large'],
  ...['\x00', '\x01', '\x1b', '\x7f'].map(
    (character): Row => [
      `with the control character ${character.charCodeAt(0)} in its id`,
      () => withHeader(signed(), 'svix-id', `msg_${character}`),
      ...MALFORMED,
    ],
  ),
  ['with a byte above ASCII in its id', () => withHeader(signed(), 'svix-id', 'msg_\xe9'), ...NO_MATCH],
  ['signed, with keys twice', () => signed('{"type":"a","type":"user.created","data":{"id":"user_1"}}'), ...ACCEPTED],
  [
    'with keys twice after it was signed',
    () => changed((b) => Buffer.from(`{"type":"a",${b.subarray(1)}`)),
    ...NO_MATCH,
  ],
  ['signed, with a byte order mark', () => signed(`\ufeff${BODY}`), 400, 'invalid_json'],
  ['with a byte order mark after it was signed', () => changed((b) => Buffer.from(`\ufeff${b}`)), ...NO_MATCH],
  ['signed in UTF-16', () => signed(Buffer.from(BODY, 'utf16le')), 400, 'invalid_json'],
  ['in UTF-16 after it was signed', () => changed((b) => Buffer.from(String(b), 'utf16le')), ...NO_MATCH],
  [
    'compressed after it was signed',
    () =>
      withMore(
        changed((b) => gzipSync(b)),
        ['content-encoding', 'gzip'],
      ),
    ...NO_MATCH,
  ],
  [
    'signed when it was compressed',
    () => withMore(signedBytes(gzipSync(BODY)), ['content-encoding', 'gzip']),
    400,
    'invalid_json',
  ],
  ['as text', () => withHeader(signed(), 'content-type', 'text/plain'), 415, 'unsupported_media_type'],
  ['without a type of content', () => withHeader(signed(), 'content-type', undefined), 415, 'unsupported_media_type'],
  ['declared larger than the limit', () => withHeader(signed(), 'content-length', '1048577'), 413, 'payload_too_large'],
  [
    'in chunks beyond the limit',
    () => chunked(withBody(signed(), Buffer.alloc(1_100_000, 'x'))),
    413,
    'payload_too_large',
  ],
  ['that nests a hundred thousand lists', () => signed('['.repeat(100_000)), 400, 'invalid_json'],
]

/** By hand: Svix' class signs text, and not bytes that are none. */
function signedBytes(bytes: Buffer): Request {
  const request = withBody(signed(), bytes)
  const key = Buffer.from(site.secret.slice('whsec_'.length), 'base64')
  const mac = createHmac('sha256', key)
    .update(`${ID}.${headerOf(request, 'svix-timestamp')}.`)
    .update(bytes)
  return withHeader(request, 'svix-signature', `v1,${mac.digest('base64')}`)
}

const FRAMING: Row[] = [
  ['in chunks', () => chunked(signed()), ...ACCEPTED],
  ['in chunks with extensions', () => chunked(signed(), { extension: ';a=b' }), ...ACCEPTED],
  [
    'in chunks with trailers, which count for nothing',
    () => chunked(signed(), { trailers: 'svix-id: msg_other\r\n' }),
    ...ACCEPTED,
  ],
  [
    'in chunks with its signature in the trailers',
    () =>
      ((r) =>
        chunked(withHeader(r, 'svix-signature', undefined), {
          trailers: `svix-signature: ${headerOf(r, 'svix-signature')}\r\n`,
        }))(signed()),
    400,
    'missing_header',
  ],
  ['with Content-Length and chunks', () => withMore(chunked(signed()), ['content-length', '5']), ...MALFORMED],
  ['with chunks declared and none sent', () => withMore(signed(), ['transfer-encoding', 'chunked']), ...MALFORMED],
  ['with two Content-Lengths', () => withMore(signed(), ['content-length', '3']), ...MALFORMED],
  [
    'with the same Content-Length twice',
    () => ((r) => withMore(r, ['content-length', String(r.body.length)]))(signed()),
    ...MALFORMED,
  ],
  ['with a list of Content-Lengths', () => withHeader(signed(), 'content-length', '5, 5'), ...MALFORMED],
  ...['-1', '+5', '0x5', '5;', '1e3'].map(
    (value): Row => [
      `with the Content-Length "${value}"`,
      () => withHeader(signed(), 'content-length', value),
      ...MALFORMED,
    ],
  ),
  ['without a length', () => withHeader(signed(), 'content-length', undefined), ...MALFORMED],
  ...['xchunked', 'chunked, identity', 'chunked, chunked', 'gzip', '\x0bchunked'].map(
    (value): Row => [
      `with Transfer-Encoding "${value}"`,
      () => withHeader(chunked(signed()), 'transfer-encoding', value),
      ...MALFORMED,
    ],
  ),
  ['with Transfer-Encoding twice', () => withMore(chunked(signed()), ['transfer-encoding', 'identity']), ...MALFORMED],
  [
    'with a chunk of 2^64 bytes',
    () => ({ ...chunked(signed()), framed: Buffer.from('fffffffffffffffff\r\n') }),
    ...MALFORMED,
  ],
  [
    'with a chunk that is longer than it says',
    () => ({ ...chunked(signed()), framed: Buffer.from('1\r\n{}\r\n0\r\n\r\n') }),
    ...MALFORMED,
  ],
  ['with a folded header', () => raw(text(signed()).replace('svix-id: ', 'svix-id:\r\n ')), ...MALFORMED],
  ['with line feeds alone', () => raw(text(signed()).replaceAll('\r\n', '\n')), ...MALFORMED],
  ['with one line feed alone', () => raw(text(signed()).replace('json\r\n', 'json\n')), ...MALFORMED],
  ['with a carriage return alone', () => raw(text(signed()).replace('json\r\n', 'json\r')), ...MALFORMED],
  ['with a space before a colon', () => raw(text(signed()).replace('svix-id:', 'svix-id :')), ...MALFORMED],
  ['with a header that has no name', () => raw(text(signed()).replace('svix-id:', ':')), ...MALFORMED],
  ['with a header before the first line', () => raw(`svix-id: x\r\n${text(signed())}`), ...MALFORMED],
  ['without Host', () => withHeader(signed(), 'host', undefined), ...MALFORMED],
  ['of HTTP/1.0', () => ({ ...signed(), version: 'HTTP/1.0' }), ...ACCEPTED],
  ['of HTTP/9.9', () => ({ ...signed(), version: 'HTTP/9.9' }), ...MALFORMED],
  ['of HTTP/2, by prior knowledge', () => raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), ...MALFORMED],
  ['that begins TLS', () => Buffer.from('16030100f5010000f10303', 'hex'), ...MALFORMED],
  ['that expects to be told to go on', () => withMore(signed(), ['expect', '100-continue']), ...ACCEPTED],
  ['that expects something else', () => withMore(signed(), ['expect', 'tea']), ...ACCEPTED],
  [
    'that wants another protocol',
    () => withMore(signed(), ['connection', 'upgrade'], ['upgrade', 'websocket']),
    ...ACCEPTED,
  ],
]

const TARGETS: Row[] = [
  ['in absolute form', () => ({ ...signed(), target: 'http://elsewhere.example/webhooks/clerk' }), ...ACCEPTED],
  ['in absolute form, to another path', () => ({ ...signed(), target: 'http://elsewhere.example/' }), 404, 'not_found'],
  ['with a query', () => ({ ...signed(), target: '/webhooks/clerk?to=me' }), ...ACCEPTED],
  ...[
    '*',
    '//webhooks/clerk',
    '/webhooks/clerk/',
    '/webhooks/../webhooks/clerk',
    '/webhooks/%zz',
    '/webhooks/%00',
    '/%',
    `/${MARKER}`,
  ].map((target): Row => [`to ${target}`, () => ({ ...signed(), target }), 404, 'not_found']),
  ['to what is no path', () => ({ ...signed(), target: 'webhooks/clerk' }), ...MALFORMED],
  ['that is 20 kB long', () => ({ ...signed(), target: `/${'x'.repeat(20_000)}` }), 431, 'headers_too_large'],
  ...['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map(
    (method): Row => [`by ${method}`, () => ({ ...signed(), method }), 405, 'method_not_allowed'],
  ),
  ['by a method that nobody knows', () => ({ ...signed(), method: 'BREW' }), ...MALFORMED],
  ['for a tunnel', () => raw('CONNECT clerk.example:443 HTTP/1.1\r\nhost: x\r\n\r\n'), ...MALFORMED],
]

describe.each([
  ['a signature', SIGNATURES],
  ['content', CONTENT],
  ['framing', FRAMING],
  ['a target', TARGETS],
])('%s: a request', (_, rows) => {
  test.each(rows)('%s', async (_name, make, status, code) => {
    const made = make()
    const { answers } = await exchange(site.port, Buffer.isBuffer(made) ? made : bytesOf(made))
    const [answer] = answers
    if (!answer) throw new Error('there was no answer')
    expect([answer.status, codeOf(answer) ?? JSON.parse(answer.body).status]).toEqual([status, code])
    if (code === 'accepted') return expect(await site.eventIds()).toHaveLength(1)
    // No more than "no": the same words for every client and request.
    expect(JSON.parse(answer.body)).toEqual({ error: { code, message: REFUSALS[code].message } })
    expect(Object.keys(answer.headers)).not.toContain('server')
    expect(await site.eventIds()).toEqual([])
  })
})

test('two requests in one go are two events, each with its answer', async () => {
  const both = Buffer.concat([bytesOf(signed()), bytesOf(signed(BODY, { id: 'msg_2' }))])
  const { answers } = await exchange(site.port, both, { answers: 2 })
  expect(answers.map(({ status }) => status)).toEqual([202, 202])
  expect(await site.eventIds()).toHaveLength(2)
})

test('a request that hides in the body of another is no request', async () => {
  const hidden = bytesOf(signed(BODY, { id: 'msg_hidden' }))
  const { answers } = await exchange(site.port, bytesOf(withBody(signed(), hidden)), { answers: 2, patienceMs: 300 })
  expect(answers.map(({ status }) => status)).toEqual([401])
  expect(await site.eventIds()).toEqual([])
})

test('a request with what is no HTTP behind it is refused as a whole, and nothing of it is stored', async () => {
  const both = Buffer.concat([bytesOf(signed()), Buffer.from('no HTTP\r\n\r\n')])
  const { answers } = await exchange(site.port, both, { answers: 2 })
  expect(answers.map(({ status }) => status)).toEqual([400])
  expect(await site.eventIds()).toEqual([])
})

test('a request that breaks off in its body is refused, and is no error of ours', async () => {
  const { answers } = await exchange(site.port, bytesOf(withHeader(signed(), 'content-length', '500')), { quietMs: 50 })
  expect(answers.map(({ status }) => status)).toEqual([400])
  expect(await site.eventIds()).toEqual([])
  expect(site.ingest.logged('ingest.failed')).toEqual([])
})

test('the log says what was wrong with each, and neither it nor the metrics hold anything of what was sent', async () => {
  const causes = new Set(site.ingest.logged('event.refused').map(({ cause }) => cause))
  expect([...causes].toSorted()).toEqual(
    expect.arrayContaining(['No signature matches.', 'The header svix-id was sent more than once.']),
  )
  const metrics = await (await fetch(`${site.metricsUrl}/metrics`)).text()
  for (const said of [site.ingest.stdout, site.ingest.stderr, metrics]) expect(said).not.toContain(MARKER)
  expect(site.ingest.isRunning).toBe(true)
  expect(await site.metric('clerk_mirror_ingest_refused_total', 'code="internal"')).toBe(0)
})
