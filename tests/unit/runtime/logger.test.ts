import { type Log, type LogLevel, openLog } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

function captured(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const log: Log = openLog({ app: 'worker', level: 'info', pretty: false, write, ...options })
  return { log, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? 'null') }
}

test('a line is JSON with its level as a word, an ISO time, the app and the event before the rest', () => {
  const { log, last } = captured()
  log.info({ event: 'event.applied', eventId: 'msg_1', lagMs: 12 }, 'applied')
  expect(Object.keys(last())).toEqual(['level', 'time', 'app', 'event', 'eventId', 'lagMs', 'msg'])
  expect(last()).toMatchObject({ level: 'info', app: 'worker', event: 'event.applied', lagMs: 12, msg: 'applied' })
  expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('lines below the level are not written', () => {
  const { log, lines } = captured({ level: 'warn' })
  log.debug({ event: 'a' })
  log.info({ event: 'b' })
  log.warn({ event: 'c' })
  log.error({ event: 'd' })
  expect(lines).toHaveLength(2)
  const silent = captured({ level: 'silent' })
  silent.log.error({ event: 'e' })
  expect(silent.lines).toEqual([])
})

test('an error is its name, message, code, frames and causes, without the payload that a library hung on it', () => {
  const { log, lines, last } = captured()
  const payload = { email: 'ada@example.com', sql: 'INSERT …', parameters: ['ada@example.com'] }
  const cause = Object.assign(new TypeError('socket closed'), { code: 'ECONNRESET', errno: -104, payload })
  const error = Object.assign(new Error('write failed', { cause }), { code: 'P2010', meta: payload, request: payload })
  log.error({ event: 'batch.failed', err: error, other: error })
  expect(lines.join('')).not.toContain('ada@')
  const shown = {
    name: 'Error',
    message: 'write failed',
    code: 'P2010',
    stack: expect.stringMatching(/^ +at .*logger\.test\.ts/),
    cause: { name: 'TypeError', message: 'socket closed', code: 'ECONNRESET', stack: expect.any(String) },
  }
  expect(last()).toMatchObject({ err: shown, other: shown })
  expect(Object.keys(Object(last()['err'])).sort()).toEqual(['cause', 'code', 'message', 'name', 'stack'])
})

test('an error made of several shows each of them', () => {
  const { log, last } = captured()
  log.error({ event: 'a', err: new AggregateError([new Error('one'), new Error('two')], 'both') })
  expect(last()).toMatchObject({ err: { message: 'both', errors: [{ message: 'one' }, { message: 'two' }] } })

  const hidden = Object.assign(new Error('while disposing'), {
    error: new Error('later'),
    suppressed: new Error('first'),
  })
  log.error({ event: 'b', err: hidden })
  expect(last()).toMatchObject({ err: { errors: [{ message: 'later' }, { message: 'first' }] } })
})

test('an error that wraps itself, or thousands, or a novel, still is a short line', () => {
  const { log, lines } = captured()
  const ring = new Error('ring')
  ring.cause = ring
  log.error({ event: 'a', err: ring })
  const many = new AggregateError([], 'many')
  many.errors = Array.from({ length: 5000 }, () => many)
  log.error({ event: 'b', err: many })
  log.error({ event: 'c', err: new Error('x'.repeat(1_000_000)) })
  for (const line of lines) expect(line.length).toBeLessThan(100_000)
})

test('a thrown value that is not an error is not shown, for it may be a payload', () => {
  const { log, lines, last } = captured()
  log.error({ event: 'a', err: { email: 'ada@example.com' } })
  log.error({ event: 'b', err: 'ada@example.com' })
  expect(lines.join('')).not.toContain('ada@')
  expect(last()).toMatchObject({ err: { name: 'NotAnError', message: 'a value of type string was thrown' } })
})

test('bytes are counted, not shown', () => {
  const { log, last } = captured()
  log.info({ event: 'a', body: Buffer.from('{"email":"ada@example.com"}') })
  expect(last()['body']).toBe('[27 bytes]')
})

test('a line for people has the event and the message in words, and is written before the call returns', () => {
  const { log, lines } = captured({ pretty: true })
  log.warn({ event: 'redis.unsafe', policy: 'allkeys-lru' }, 'events may be evicted')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('redis.unsafe events may be evicted')
  expect(lines[0]).toContain('allkeys-lru')
  expect(lines[0]).not.toMatch(/^{/)
})
