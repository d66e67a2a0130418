import { randomBytes } from 'node:crypto'
import { Failure } from '@clerk-mirror/events'
import { openLog } from '@clerk-mirror/runtime'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook } from 'svix'
import { expect, test } from 'vitest'
import {
  type ChangeWebhook,
  retryAfterMs,
  webhookReaction,
} from '../../../apps/worker/src/reaction-runtime/change-webhook.js'
import { TryLater } from '../../../apps/worker/src/reaction-runtime/run-reaction.js'
import type { CurrentObject, ReactionRun } from '../../../apps/worker/src/reactions/reaction.js'
import { openReceiver } from '../../support/http/receiver.js'

const secret = () => `whsec_${randomBytes(24).toString('base64')}`
const OLD = secret()
const NEW = secret()

const webhookTo = (url: string, changes: Partial<ChangeWebhook> = {}) =>
  webhookReaction({ url: new URL(url), secrets: [NEW, OLD], payload: 'public', allowsPrivate: true, ...changes })

const VERSION = { updatedAtMs: 5, timestampMs: 6, eventId: 'msg_1' }
const CLERK = '{"id":"user_1","username":"ada","email":"ada@example.com","unsafe_metadata":{"n":12345678901234567890}}'

const run = (changes: Partial<ReactionRun> = {}): ReactionRun => {
  const object: CurrentObject = {
    ...{ id: 'user_1', kind: 'user', version: VERSION, userId: null, organizationId: null },
    data: CLERK,
    fields: JSON.parse(CLERK),
    publicUser: { username: 'ada', displayName: 'Ada', imgUrl: null, tagline: null },
  }
  const change: ReactionRun['change'] = {
    ...{ what: 'updated', kind: 'user', objectId: 'user_1', userId: 'user_1', organizationId: null },
    ...{ version: VERSION, changedFields: ['username'], askedAtMs: 1_700_000_000_000 },
  }
  const log = openLog({ app: 'test', level: 'silent' })
  const { signal } = new AbortController()
  return { change, object: async () => object, idempotencyKey: 'x_key', attempt: 1, log, signal, ...changes }
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Failure)) throw new Error(`no failure: ${error}`)
  return error
}

test("a delivery is what the vendors' own libraries take, with the old secret and with the new", async () => {
  await using receiver = await openReceiver()
  using webhook = webhookTo(receiver.url)
  await webhook.react(run())
  const [{ headers, text }] = receiver.received as [(typeof receiver.received)[number]]
  const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  for (const key of [OLD, NEW]) {
    expect(new Webhook(key).verify(text, plain)).toEqual(JSON.parse(text))
    expect(new StandardWebhook(key).verify(text, plain)).toEqual(JSON.parse(text))
  }
  expect(() => new Webhook(secret()).verify(text, plain)).toThrow()
  expect(headers['webhook-id']).toBe('x_key')
})

test('it tells the public shape, and the whole object only when that is asked for, letter by letter', async () => {
  await using receiver = await openReceiver()
  using webhook = webhookTo(receiver.url)
  using all = webhookTo(receiver.url, { payload: 'full' })
  await webhook.react(run())
  await all.react(run())
  await webhook.react(run({ object: async () => null }))
  const [open, full, gone] = receiver.received
  expect(open?.body).toEqual({
    type: 'user.updated',
    timestamp: '2023-11-14T22:13:20.000Z',
    data: {
      ...{ kind: 'user', id: 'user_1', userId: 'user_1', organizationId: null },
      ...{ version: VERSION, changedFields: ['username'] },
      object: { version: VERSION, public: { username: 'ada', displayName: 'Ada', imgUrl: null, tagline: null } },
    },
  })
  expect(open?.text).not.toContain('example.com')
  expect(full?.text).toContain(CLERK)
  expect(full?.body.data.object?.clerk).toMatchObject({ email: 'ada@example.com' })
  expect(gone?.body.data.object).toBeNull()
})

test('a redirect is not followed, and whoever asks for patience gets it', async () => {
  await using receiver = await openReceiver()
  await using elsewhere = await openReceiver()
  using webhook = webhookTo(receiver.url)
  receiver.answer = () => ({ status: 307, headers: { location: elsewhere.url } })
  expect(await failureOf(webhook.react(run()))).toMatchObject({ class: 'unknown', code: 'receiver_refused' })
  expect(elsewhere.received).toEqual([])
  receiver.answer = () => ({ status: 429, headers: { 'retry-after': '120' } })
  const later = await failureOf(webhook.react(run()))
  expect(later).toBeInstanceOf(TryLater)
  expect(later).toMatchObject({ notBeforeMs: 120_000, message: 'the receiver answered with 429' })
  receiver.answer = () => ({ status: 410 })
  expect(await failureOf(webhook.react(run()))).toMatchObject({ class: 'poison', code: 'receiver_gone' })
})

test.each([
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:02:00 GMT', 60_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['999999999', 86_400_000],
  ['soon', 0],
  ['-5', 0],
  [undefined, 0],
])('Retry-After: %s is %i ms', (header, expected) => {
  expect(retryAfterMs(header, 60_000)).toBe(expected)
})

test.each([
  'http://127.0.0.1:PORT/x',
  'http://2130706433:PORT/x',
  'http://localhost:PORT/x',
  'http://[::1]:PORT/x',
  'http://[::ffff:127.0.0.1]:PORT/x',
  'http://10.0.0.1/x',
  'http://169.254.169.254/latest/meta-data',
  'https://192.168.1.1/x',
])('%s is refused where private addresses are, and nothing is sent', async (address) => {
  await using receiver = await openReceiver()
  using webhook = webhookTo(address.replace('PORT', new URL(receiver.url).port), { allowsPrivate: false })
  expect(await failureOf(webhook.react(run()))).toMatchObject({ class: 'unknown', code: 'receiver_private' })
  expect(receiver.received).toEqual([])
})

test('a receiver that cannot be reached is told without its address, which may be a secret', async () => {
  using webhook = webhookTo('http://127.0.0.1:1/token-in-the-path')
  const failure = await failureOf(webhook.react(run()))
  expect(failure).toMatchObject({ code: 'receiver_unreachable', message: expect.stringContaining('ECONNREFUSED') })
  expect(failure.message + webhook.name).not.toMatch(/127|token/)
})

test('an answer is as good as its status: nobody waits for an endless body', async () => {
  await using receiver = await openReceiver()
  using webhook = webhookTo(receiver.url)
  receiver.answer = () => ({ status: 200, body: Buffer.alloc(50_000_000) })
  await webhook.react(run())
  receiver.answer = () => ({ status: 204 })
  await webhook.react(run())
  expect(receiver.received).toHaveLength(2)
})

test('a delivery ends when its time is over', async () => {
  await using receiver = await openReceiver()
  using webhook = webhookTo(receiver.url)
  receiver.answer = () => new Promise(() => {})
  expect(await failureOf(webhook.react(run({ signal: AbortSignal.timeout(50) })))).toMatchObject({
    code: 'receiver_unreachable',
  })
})
