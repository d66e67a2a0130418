import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type FaultProxy, openFaultProxy } from '@clerk-mirror/devstack'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../support/until.js'

let echo: Server
let proxy: FaultProxy
const clients: Socket[] = []
const echoPort = () => (echo.address() as AddressInfo).port
beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await openFaultProxy({ targetPort: echoPort() })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy[Symbol.asyncDispose]()
  echo.close()
})

/** A client that keeps the bytes it received. */
function open(port = proxy.port) {
  const socket = connect({ port, host: '127.0.0.1' })
  clients.push(socket)
  const client = { socket, received: '', isClosed: false }
  socket.setEncoding('utf8').on('data', (text: string) => {
    client.received += text
  })
  socket
    .on('error', () => {})
    .on('close', () => {
      client.isClosed = true
    })
  return client
}

async function openAndTalk(port = proxy.port) {
  const client = open(port)
  client.socket.write('hello')
  await until(() => client.received === 'hello')
  return client
}

test('passes on what is sent, both ways, and its end', async () => {
  const client = await openAndTalk()
  client.socket.end(' and good-bye')
  await until(() => client.isClosed)
  expect(client.received).toBe('hello and good-bye')
})

test('carries more than fits into the buffers between a fast sender and a slow reader', async () => {
  const client = await openAndTalk()
  client.socket.pause()
  const much = 'x'.repeat(8 * 1024 * 1024)
  client.socket.write(much)
  client.socket.resume()
  await until(() => client.received.length === 'hello'.length + much.length)
})

test('cuts the connections that there are, and lets new ones in', async () => {
  const client = await openAndTalk()
  proxy.cut()
  await until(() => client.isClosed)
  await openAndTalk()
})

test('refuses new connections until it passes again', async () => {
  proxy.refuse()
  const refused = open()
  await until(() => refused.isClosed)
  expect(refused.received).toBe('')
  proxy.pass()
  await openAndTalk()
})

test('delays what is sent each way, and keeps its order', async () => {
  const client = await openAndTalk()
  proxy.delay(100)
  const startedMs = performance.now()
  for (const word of [' one', ' two', ' three']) client.socket.write(word)
  await until(() => client.received === 'hello one two three')
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(2 * 99)
})

test('leaves a connection half-open: nothing arrives and nothing tells, also after it passes again', async () => {
  const client = await openAndTalk()
  proxy.halfOpen()
  const late = open()
  await once(late.socket, 'connect')
  for (const { socket } of [client, late]) socket.write(' anybody?')
  // So many round trips past the proxy are time enough for one through it.
  for (let trip = 0; trip < 50; trip += 1) await openAndTalk(echoPort())
  proxy.pass()
  await openAndTalk()
  expect([client, late]).toMatchObject([
    { received: 'hello', isClosed: false },
    { received: '', isClosed: false },
  ])
})

test('breaks a connection on which a text is sent, also when it comes in pieces, and no other', async () => {
  const [client, other] = [await openAndTalk(), await openAndTalk()]
  proxy.breakOn('forbidden')
  client.socket.write(' forb')
  await until(() => client.received === 'hello forb')
  client.socket.write('idden')
  await until(() => client.isClosed)
  expect(client.received).toBe('hello forb')
  other.socket.write(' allowed')
  await until(() => other.received === 'hello allowed')
  proxy.breakOn(null)
  const next = await openAndTalk()
  next.socket.write('forbidden')
  await until(() => next.received === 'helloforbidden')
})
