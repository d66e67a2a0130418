import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Failure } from '@clerk-mirror/events'
import { openLog } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { readWorkerConfig } from '../../../apps/worker/src/config.js'
import { openNotifier } from '../../../apps/worker/src/notify.js'
import { webhookReaction } from '../../../apps/worker/src/reaction-runtime/change-webhook.js'
import { makeCertificates } from '../../support/http/certificates.js'
import { openConnectProxy } from '../../support/http/connect-proxy.js'
import { openReceiver } from '../../support/http/receiver.js'
import { until } from '../../support/until.js'

const BASE = { REDIS_URL: 'redis://127.0.0.1:6379', DATABASE_URL: 'mysql://u:p@127.0.0.1/x' }
const DELIVERY = fileURLToPath(new URL('../../support/processes/proxied-delivery.mjs', import.meta.url))
const SECRET = 'whsec_d2hhdGV2ZXIgc29tZWJvZHkgbWFkZSB1cA=='

const proxiesOf = (variables: Record<string, string>) => readWorkerConfig({ ...BASE, ...variables }).proxies

const webhookTo = (url: string, variables: Record<string, string>, allowsPrivate = false) =>
  webhookReaction({
    ...{ url: new URL(url), secrets: [SECRET], payload: 'public', allowsPrivate, proxies: proxiesOf(variables) },
  })

const VERSION = { updatedAtMs: 5, timestampMs: 6, eventId: 'msg_1' }
const run = () => ({
  change: {
    ...{ what: 'updated' as const, kind: 'user', objectId: 'user_1', userId: null, organizationId: null },
    ...{ version: VERSION, changedFields: [], askedAtMs: 0 },
  },
  object: async () => null,
  idempotencyKey: 'x_key',
  attempt: 1,
  log: openLog({ app: 'test', level: 'silent' }),
  signal: AbortSignal.timeout(10_000),
})

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Failure)) throw new Error(`no failure: ${error}`)
  return error
}

test('changes go through the proxy, which looks the name up, and the receiver sees the same delivery', async () => {
  await using receiver = await openReceiver()
  await using proxy = await openConnectProxy()
  proxy.names['hooks.example.com'] = Number(new URL(receiver.url).port)
  using webhook = webhookTo('http://hooks.example.com/changes', {
    HTTP_PROXY: proxy.url.replace('//', '//ada:s%40crt@'),
  })
  await webhook.react(run())
  await webhook.react(run())
  expect(proxy.asked).toEqual(Array(2).fill('POST http://hooks.example.com/changes'))
  expect(proxy.accounts[0]).toBe(`Basic ${Buffer.from('ada:s@crt').toString('base64')}`)
  expect(receiver.received.map(({ key }) => key)).toEqual(['x_key', 'x_key'])
  expect(receiver.received[0]?.headers).toMatchObject({ host: 'hooks.example.com', 'webhook-id': 'x_key' })
  expect(receiver.received[0]?.headers).not.toHaveProperty('proxy-authorization')
})

/** The result of a delivery by a worker with these settings, in a process that trusts this authority. */
async function delivered(settings: Record<string, string>, caPath?: string): Promise<string> {
  const env = caPath === undefined ? {} : { NODE_EXTRA_CA_CERTS: caPath }
  const args = [DELIVERY, JSON.stringify({ ...BASE, ...settings })]
  return (await promisify(execFile)(process.execPath, args, { env })).stdout.trim()
}

test('https goes through a tunnel, and nobody but the receiver ends its encryption', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-proxy-'))
  const { caPath, keyPath, certPath } = await makeCertificates(folder, 'hooks.example.com')
  const keys: unknown[] = []
  const options = { key: readFileSync(keyPath), cert: readFileSync(certPath) }
  const server = createServer(options, (request, response) => {
    keys.push(request.headers['webhook-id'])
    request.resume().once('end', () => response.writeHead(204).end())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  await using proxy = await openConnectProxy()
  proxy.names['hooks.example.com'] = (server.address() as AddressInfo).port
  const settings = {
    ...{ CHANGE_WEBHOOK_URLS: 'https://hooks.example.com/changes', CHANGE_WEBHOOK_SECRETS: SECRET },
    https_proxy: proxy.url,
  }
  try {
    expect(await delivered(settings, caPath)).toBe('delivered')
    expect(keys).toEqual(['x_key'])
    // Without the authority that signed it, the receiver's certificate is not taken.
    expect(await delivered(settings)).toContain('the receiver cannot be reached')
    expect(keys).toHaveLength(1)
    expect(proxy.asked).toEqual(Array(2).fill('CONNECT hooks.example.com:443'))
  } finally {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  }
})

test('a proxy that refuses is told from a receiver that does', async () => {
  await using proxy = await openConnectProxy()
  const variables = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url }
  using tunnelled = webhookTo('https://hooks.example.com/x', variables)
  using handedOn = webhookTo('http://hooks.example.com/x', variables)
  for (const webhook of [tunnelled, handedOn]) {
    proxy.refuses = 407
    const failure = await failureOf(webhook.react(run()))
    expect(failure).toMatchObject({
      code: 'receiver_unreachable',
      message: expect.stringContaining('the proxy answered with 407'),
    })
  }
  proxy.refuses = 403
  expect((await failureOf(tunnelled.react(run()))).message).toContain('the proxy answered with 403')
})

test.each([
  ...['http://10.0.0.1/x', 'http://169.254.169.254/latest', 'https://[fd00::1]/x'],
  ...['http://intranet/x', 'https://wiki.internal./x', 'http://printer.local/x'],
])('%s is refused behind a proxy too, which is not asked', async (address) => {
  await using proxy = await openConnectProxy()
  using webhook = webhookTo(address, { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url })
  expect(await failureOf(webhook.react(run()))).toMatchObject({ code: 'receiver_private' })
  expect(proxy.asked).toEqual([])
})

test('this machine, and what NO_PROXY names, is reached straight, with addresses checked as ever', async () => {
  await using receiver = await openReceiver()
  await using proxy = await openConnectProxy()
  const { port } = new URL(receiver.url)
  using own = webhookTo(receiver.url, { HTTP_PROXY: proxy.url }, true)
  await own.react(run())
  using named = webhookTo(`http://localhost:${port}/changes`, { HTTP_PROXY: proxy.url })
  using excepted = webhookTo('http://10.0.0.1/changes', { HTTP_PROXY: proxy.url, NO_PROXY: '10.0.0.0/8' })
  for (const webhook of [named, excepted]) {
    expect(await failureOf(webhook.react(run()))).toMatchObject({ code: 'receiver_private' })
  }
  expect(receiver.received).toHaveLength(1)
  expect(proxy.asked).toEqual([])
})

test('notices go through the proxy too', async () => {
  await using receiver = await openReceiver()
  await using proxy = await openConnectProxy()
  proxy.names['chat.example.com'] = Number(new URL(receiver.url).port)
  const claims = { claim: async () => true, withdraw: async () => {}, [Symbol.dispose]: () => {} }
  const sent: number[] = []
  await using notifier = openNotifier({
    url: 'http://chat.example.com/services/T1',
    proxies: proxiesOf({ HTTP_PROXY: proxy.url }),
    claims,
    observer: { notified: (causes) => void sent.push(causes), failed: () => {} },
  })
  const reason = { class: 'poison', code: 'malformed', message: 'm', fingerprint: 'f' } as const
  notifier.deadLettered({ type: 'user.created', reason } as never)
  await until(() => sent.length === 1)
  expect(proxy.asked).toEqual(['POST http://chat.example.com/services/T1'])
  expect(receiver.received[0]?.text).toContain('poison/malformed')
})
