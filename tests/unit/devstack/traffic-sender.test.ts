import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { history, type SendOptions, send } from '@clerk-mirror/devstack'
import { Webhook } from 'svix'
import { expect, test } from 'vitest'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** 200 stands for an event that is acknowledged and ignored. */
const BODIES: Record<number, string> = { 202: '{"status":"accepted"}', 200: '{"status":"ignored"}' }

interface Received {
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A server that answers the nth request with the given answer, and keeps its requests. */
async function openReceiver(answer: (nth: number) => number) {
  const received: Received[] = []
  let inFlight = 0
  const seen = { mostInFlight: 0 }
  const server = createServer(async (request, response) => {
    inFlight += 1
    seen.mostInFlight = Math.max(seen.mostInFlight, inFlight)
    response.once('close', () => {
      inFlight -= 1
    })
    received.push({ headers: request.headers, body: await buffer(request) })
    const status = answer(received.length)
    if (status === 0) request.socket.destroy()
    else response.writeHead(status).end(BODIES[status] ?? `{"error":{"code":"code_${status}","message":"…"}}`)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/webhooks/clerk`
  return { url, received, seen, [Symbol.dispose]: () => void server.close() }
}

function options(url: string, more: Partial<SendOptions> = {}): SendOptions {
  const { signal } = new AbortController()
  return { url, signingSecret: SECRET, concurrency: 4, signal, onDelivered: () => undefined, ...more }
}

test('every delivery arrives with its own bytes and a signature that Svix accepts', async () => {
  using receiver = await openReceiver(() => 202)
  const { deliveries } = history({ seed: 1, users: 5, duplicates: 0.5 })
  const report = await send(deliveries, options(receiver.url))
  expect(report).toMatchObject({ accepted: deliveries.length, retries: 0, refused: [] })
  const webhook = new Webhook(SECRET)
  const arrived = receiver.received.map(({ headers, body }) => {
    expect(headers['content-type']).toBe('application/json')
    webhook.verify(body, headers as Record<string, string>)
    return `${headers['svix-id']} ${body}`
  })
  expect(arrived.sort()).toEqual(deliveries.map(({ eventId, body }) => `${eventId} ${body}`).sort())
})

test('what was not accepted is sent again with the same id until it is: after 503, after 429, after no answer', async () => {
  const answers = [503, 0, 429, 202]
  using receiver = await openReceiver((nth) => answers[nth - 1] ?? 500)
  const { deliveries } = history({ seed: 2, users: 1, updates: 0, deletes: 0 })
  const report = await send(deliveries, options(receiver.url))
  expect(report).toMatchObject({ accepted: 1, retries: 3, refused: [] })
  expect(receiver.received.map(({ headers }) => headers['svix-id'])).toEqual(Array(4).fill(deliveries[0]?.eventId))
})

test('a final refusal ends the run and is reported with its code', async () => {
  using receiver = await openReceiver((nth) => (nth === 3 ? 401 : 202))
  const { deliveries } = history({ seed: 3, users: 50 })
  const report = await send(deliveries, options(receiver.url, { concurrency: 1 }))
  expect(report.accepted).toBe(2)
  expect(report.refused).toEqual([{ delivery: deliveries[2], answer: '401 code_401' }])
  expect(receiver.received).toHaveLength(3)
})

test('an event that is acknowledged and ignored counts as refused, for it will never be in the tables', async () => {
  using receiver = await openReceiver(() => 200)
  const { deliveries } = history({ seed: 3, users: 1 })
  const report = await send(deliveries, options(receiver.url, { concurrency: 1 }))
  expect(report).toMatchObject({ accepted: 0, refused: [{ answer: '200 ignored' }] })
})

test('no more deliveries are in flight than asked', async () => {
  using receiver = await openReceiver(() => 202)
  const { deliveries } = history({ seed: 4, users: 30 })
  await send(deliveries, options(receiver.url, { concurrency: 3 }))
  expect(receiver.seen.mostInFlight).toBeLessThanOrEqual(3)
})

test('a rate is kept', async () => {
  using receiver = await openReceiver(() => 202)
  const { deliveries } = history({ seed: 5, users: 20, updates: 0, deletes: 0 })
  const report = await send(deliveries, options(receiver.url, { rate: 100 }))
  // Nineteen gaps of 10 ms; a timer may fire up to a millisecond early.
  expect(report.tookMs).toBeGreaterThanOrEqual(170)
})

test('told to stop, it finishes what is in flight and begins nothing more', async () => {
  const controller = new AbortController()
  using receiver = await openReceiver((nth) => {
    if (nth === 5) controller.abort()
    return 202
  })
  const { deliveries } = history({ seed: 6, users: 100 })
  const report = await send(deliveries, options(receiver.url, { concurrency: 2, signal: controller.signal }))
  expect(report.accepted).toBe(receiver.received.length)
  expect(report.accepted).toBeLessThanOrEqual(6)
})
