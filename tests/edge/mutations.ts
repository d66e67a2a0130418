import { gzipSync } from 'node:zlib'
import type { Random } from '../../packages/devstack/src/random.js'
import { bytesOf, chunked, headerOf, nowS, type Request, withBody, withHeader, withMore } from './request.js'

type Mutation<T> = (value: T, random: Random) => T

const SIGNED = ['svix-id', 'svix-timestamp', 'svix-signature'] as const
const NAMES = [
  ...SIGNED,
  'content-type',
  'content-length',
  'host',
  'transfer-encoding',
  'connection',
  'expect',
] as const

const ODD_VALUES = [
  ...['', ' ', ',', 'v1,', 'v1', '0', '-1', '+5', '1e3', '0x10', '9'.repeat(20), 'chunked', 'xchunked', 'close'],
  ...['100-continue', 'identity, chunked', 'application/json;charset=utf-16', 'multipart/form-data; boundary=x'],
  ...['x'.repeat(3000), 'x'.repeat(20_000), '\x00', '\x01\x02', '\t', '\x7f', '\xff\xfe', '__proto__', '%00', '../..'],
] as const

const TARGETS = [
  ...[
    '*',
    '/',
    '//webhooks/clerk',
    '/webhooks/clerk/',
    '/webhooks/clerk?a=b',
    '/webhooks/clerk#a',
    '/webhooks/%63lerk',
  ],
  ...['http://x/webhooks/clerk', 'https://x:1/webhooks/clerk', '/%', '/%zz', '/webhooks/%00', '/webhooks\\clerk', ''],
  ...['/livez', '/readyz', '/metrics', '/webhooks/../webhooks/clerk', `/${'x'.repeat(9000)}`, '/webhooks/clerk;a=b'],
] as const

const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'BREW',
  'post',
  'PRI',
  '',
] as const

const pickHeader = (request: Request, random: Random) => random.integer(0, Math.max(0, request.headers.length - 1))

const editHeader = (
  request: Request,
  random: Random,
  edit: (header: [string, string]) => [string, string][],
): Request => {
  const at = pickHeader(request, random)
  return { ...request, headers: request.headers.flatMap((header, index) => (index === at ? edit(header) : [header])) }
}

/** Of headers, of the request line, and of the framing. */
const OF_REQUESTS: readonly [Mutation<Request>, ...Mutation<Request>[]] = [
  (r, random) => editHeader(r, random, () => []),
  (r, random) => editHeader(r, random, (header) => [header, header]),
  (r, random) =>
    editHeader(r, random, ([name, value]) => [
      [name, value],
      [name.toUpperCase(), random.pick(ODD_VALUES)],
    ]),
  (r, random) => editHeader(r, random, ([name]) => [[name, random.pick(ODD_VALUES)]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[name.toUpperCase(), value]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[name, ` \t${value}\t `]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[`${name} `, value]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[name, `\r\n ${value}`]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[name.replace('svix', 'webhook'), value]]),
  (r, random) => editHeader(r, random, ([name, value]) => [[name, inText(value, random)]]),
  (r, random) => withMore(r, [random.pick(NAMES), random.pick(ODD_VALUES)]),
  (r, random) => withMore(r, [`x-${random.base62(5)}`, random.pick(ODD_VALUES)]),
  (r, random) => ({ ...r, headers: [...r.headers, ...many(random)] }),
  (r, random) => ({ ...r, headers: random.shuffled(r.headers) }),
  (r, random) => withHeader(r, 'svix-signature', otherSignature(headerOf(r, 'svix-signature'), random)),
  (r, random) => withHeader(r, 'svix-timestamp', String(nowS() + random.integer(-1000, 1000))),
  (r, random) => withHeader(r, 'svix-id', `msg_${random.base62(random.integer(0, 40))}`),
  (r, random) => ({ ...r, target: random.pick(TARGETS) }),
  (r, random) => ({ ...r, target: inText(r.target, random) }),
  (r, random) => ({ ...r, method: random.pick(METHODS) }),
  (r, random) => ({
    ...r,
    version: random.pick(['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/9.9', 'HTTPS/1.1', 'HTTP/1', '']),
  }),
  (r) => chunked(r),
  (r, random) => chunked(r, { extension: `;${random.pick(ODD_VALUES)}`, trailers: `svix-id: ${random.base62(8)}\r\n` }),
  (r) => withMore(chunked(r), ['content-length', String(r.body.length)]),
  (r, random) => withHeader(r, 'content-length', String(Math.max(0, r.body.length + random.integer(-9, 9)))),
  (r, random) => withBody(r, Buffer.from(inText(r.body.toString('latin1'), random), 'latin1')),
  (r) => withBody(r, Buffer.concat([Buffer.from('\ufeff'), r.body])),
  (r) => withBody(r, Buffer.from(r.body.toString(), 'utf16le')),
  (r) => withMore(withBody(r, gzipSync(r.body)), ['content-encoding', 'gzip']),
  (r, random) => withBody(r, Buffer.from(`{"type":"${random.base62(5)}",${r.body.subarray(1)}`)),
  (r, random) => withBody(r, Buffer.alloc(random.pick([0, 1, 70_000]), random.integer(0, 255))),
]

/** Of the bytes on the wire, without a look at their meaning. */
const OF_BYTES: readonly [Mutation<Buffer>, ...Mutation<Buffer>[]] = [
  (bytes, random) => splice(bytes, random, 1, (at) => Buffer.from([(bytes[at] ?? 0) ^ (1 << random.integer(0, 7))])),
  (bytes, random) => splice(bytes, random, 1, () => Buffer.from([random.integer(0, 255)])),
  (bytes, random) => splice(bytes, random, 0, () => junk(random, random.integer(1, 9))),
  (bytes, random) => splice(bytes, random, random.integer(1, 40), () => Buffer.alloc(0)),
  (bytes, random) => splice(bytes, random, 0, (at) => bytes.subarray(at, at + random.integer(1, 40))),
  (bytes, random) => bytes.subarray(0, random.integer(1, bytes.length)),
  (bytes, random) => bytes.subarray(random.integer(1, bytes.length - 1)),
  (bytes, random) => Buffer.concat([bytes, junk(random, random.integer(1, 200))]),
  (bytes) => Buffer.concat([bytes, bytes]),
  (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  (bytes, random) =>
    Buffer.from(bytes.toString('latin1').replace('\r\n', random.pick(['\n', '\r', '\r\r\n', '\n\r'])), 'latin1'),
  (_bytes, random) => junk(random, random.integer(1, 2000)),
]

export type Mutant = { bytes: Buffer; request: Request }

/** One to three changes to a signed request. Some leave its signature as good as it was: that is not judged here. */
export function mutantOf(request: Request, random: Random): Mutant {
  let changes = random.integer(1, 3)
  let mutated = request
  for (; changes > 0 && random.chance(0.7); changes -= 1) mutated = random.pick(OF_REQUESTS)(mutated, random)
  let bytes = bytesOf(mutated)
  for (; changes > 0; changes -= 1) if (bytes.length > 1) bytes = random.pick(OF_BYTES)(bytes, random)
  return { bytes, request: mutated }
}

function splice(bytes: Buffer, random: Random, removed: number, added: (at: number) => Buffer): Buffer {
  const at = random.integer(0, bytes.length - 1)
  return Buffer.concat([bytes.subarray(0, at), added(at), bytes.subarray(at + removed)])
}

const junk = (random: Random, length: number) => Buffer.from(Array.from({ length }, () => random.integer(0, 255)))

/** A character changed, added or gone. */
function inText(text: string, random: Random): string {
  const at = random.integer(0, Math.max(0, text.length - 1))
  const character = random.pick(['', random.base62(1), ' ', ',', '=', String.fromCharCode(random.integer(33, 255))])
  return text.slice(0, at) + character + text.slice(at + random.integer(0, 1))
}

function many(random: Random): [string, string][] {
  return Array.from({ length: random.integer(50, 2500) }, (_, index) => [`h${index % 7}`, ''])
}

function otherSignature(signature: string, random: Random): string {
  const wrong = `v1,${Buffer.from(junk(random, 32)).toString('base64')}`
  return random.pick([
    wrong,
    `${wrong} ${signature}`,
    `${signature} ${wrong}`,
    `${wrong} `.repeat(random.integer(2, 200)).trim(),
    signature.replace('v1', 'v2'),
    signature.replace(',', ' '),
    signature.slice(0, random.integer(0, signature.length)),
    signature + random.base62(3),
    signature.toLowerCase(),
    `${signature},${random.base62(4)}`,
  ])
}
