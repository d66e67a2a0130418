import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FORM_BYTES_MAX } from '../../apps/console/src/limits.js'
import { bytesOf, type Request, withMore } from '../edge/request.js'
import { answersIn, exchange, lifeOf } from '../edge/wire.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld, VIEWER_TOKEN } from '../support/console.js'

let world: ConsoleWorld
let port: number
beforeAll(async () => {
  world = await openConsoleWorld()
  port = Number(new URL(world.consoleUrl).port)
})
afterAll(() => world?.[Symbol.asyncDispose]())

const FORM: [string, string] = ['content-type', 'application/x-www-form-urlencoded']
const JSON_TYPE: [string, string] = ['content-type', 'application/json']
const ENDLESS: [string, string] = ['transfer-encoding', 'chunked']
const sized = (bytes: number): [string, string] => ['content-length', String(bytes)]
const bearer = (token: string): [string, string] => ['authorization', `Bearer ${token}`]

const asking = (method: string, target: string, ...headers: [string, string][]): Request => ({
  ...{ method, target, version: 'HTTP/1.1', body: Buffer.alloc(0), framed: Buffer.alloc(0) },
  headers: [['host', 'console.example.com'], ...headers],
})
const replaying = (...headers: [string, string][]) => asking('POST', '/api/dead-letters/replay', ...headers, JSON_TYPE)

const REFUSED: readonly (readonly [string, Request, number])[] = [
  ['to an unknown path', asking('POST', '/nope', bearer(OPERATOR_TOKEN), FORM), 404],
  ['to a path that takes another method', asking('POST', '/workers', bearer(OPERATOR_TOKEN), FORM), 404],
  ['to a path that cannot be decoded', asking('POST', '/%E0%A4%A', bearer(OPERATOR_TOKEN), FORM), 400],
  ['to the API without a token', replaying(), 401],
  ['to the API with a wrong token', replaying(bearer('a-wrong-token-that-somebody-typed-or-tried')), 401],
  ['with a form, without a session', asking('POST', '/dead-letters/run', FORM), 401],
  ['to look at a payload, without a session', asking('POST', '/dead-letters/msg_1/payload', FORM), 401],
  [
    'with a form and a cookie that is none',
    asking('POST', '/runs/1/stop', ['cookie', 'clerk_mirror_console=x'], FORM),
    401,
  ],
  ['to bull-board, without a session', asking('PUT', '/queue/api/queues/clerk-events/pause', JSON_TYPE), 401],
]

describe('a request that is refused for its first line or its headers', () => {
  test.each(REFUSED)('%s is answered before its body comes', async (_name, request, status) => {
    const { answers } = await exchange(port, bytesOf(withMore(request, sized(FORM_BYTES_MAX))))
    expect(answers).toMatchObject([{ status, headers: { 'x-content-type-options': 'nosniff' } }])
  })

  test.each(REFUSED)('%s ends its connection before a body without an end', async (_name, request, status) => {
    for (const endless of [sized(1e12), ENDLESS]) {
      const { said } = await lifeOf(port, (socket) => socket.write(bytesOf(withMore(request, endless))))
      expect(answersIn(Buffer.from(said))).toMatchObject([{ status, headers: { connection: 'close' } }])
    }
  })
})

describe('a client that asks before it sends its body', () => {
  const awaiting = (request: Request, bytes = 10) =>
    bytesOf(withMore(request, sized(bytes), ['expect', '100-continue'], ['connection', 'close']))

  test.each(REFUSED)('%s is refused and not asked for it, and the connection ends', async (_name, request, status) => {
    const { said } = await lifeOf(port, (socket) => socket.write(awaiting(request)))
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(said).not.toContain('100 Continue')
  })

  test('is not asked for a body that no page reads', async () => {
    const { said } = await lifeOf(port, (socket) => socket.write(awaiting(asking('GET', '/livez', JSON_TYPE))))
    expect(said).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('with a token is asked for it, and with too large a body is not', async () => {
    const body = '{"filter":{"all":true}}'
    const { said } = await lifeOf(port, (socket) => {
      socket.write(awaiting(replaying(bearer(VIEWER_TOKEN)), body.length))
      socket.once('data', () => socket.write(body))
    })
    expect(said).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 403 /)
    const large = awaiting(replaying(bearer(OPERATOR_TOKEN)), FORM_BYTES_MAX + 1)
    expect((await lifeOf(port, (socket) => socket.write(large))).said).toMatch(/^HTTP\/1\.1 413 /)
  })
})
