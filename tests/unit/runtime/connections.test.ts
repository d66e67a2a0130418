import { once } from 'node:events'
import { createServer, IncomingMessage, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type CloseReason, Connections } from '@clerk-mirror/runtime'
import { afterEach, expect, test } from 'vitest'
import { until } from '../../support/until.js'

const LIMITS = { connectionsMax: 3, bodyBytesMax: 100 }

let server: Server | undefined
const clients: Socket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server?.close()
})

const requestOn = (socket: Socket) => new IncomingMessage(socket)

/** A real server; the sockets are in the order in which they came. */
async function open() {
  const reasons: CloseReason[] = []
  const connections = new Connections(LIMITS, (reason) => reasons.push(reason))
  const sockets: Socket[] = []
  server = createServer()
  connections.watch(server)
  server.on('connection', (socket) => sockets.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const come = async () => {
    const count = sockets.length
    const client = connect({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    clients.push(client)
    await until(() => sockets.length > count)
    const socket = sockets.at(-1)
    if (!socket) throw new Error('nobody came')
    return socket
  }
  return { connections, reasons, come }
}

test('when all places are taken, whoever has waited longest makes room', async () => {
  const { connections, reasons, come } = await open()
  const [first, second, third] = [await come(), await come(), await come()]
  const request = requestOn(first)
  connections.working(request)
  const fourth = await come()
  expect([first, second, third, fourth].map((socket) => socket.destroyed)).toEqual([false, true, false, false])
  // Answered, its turn to wait begins anew, behind the others.
  connections.answered(request)
  await come()
  expect([first, third, fourth].map((socket) => socket.destroyed)).toEqual([false, true, false])
  expect(reasons).toEqual(['displaced', 'displaced'])
  expect(connections.count).toBe(3)
})

test('when we work on the requests of all, the newcomer has to go', async () => {
  const { connections, reasons, come } = await open()
  for (let count = 0; count < 3; count += 1) connections.working(requestOn(await come()))
  expect((await come()).destroyed).toBe(true)
  expect(reasons).toEqual(['no_place'])
  expect(connections.count).toBe(3)
})

test('when bodies take too much memory, the one that came first and is not complete goes', async () => {
  const { connections, reasons, come } = await open()
  const [first, second, third] = [requestOn(await come()), requestOn(await come()), requestOn(await come())]
  for (const request of [first, second, third]) connections.bodyBegins(request)
  connections.received(first, 50)
  connections.working(first)
  connections.received(second, 40)
  connections.received(third, 10)
  expect(connections.bodyBytes).toBe(100)
  connections.received(third, 1)
  expect([first, second, third].map(({ socket }) => socket.destroyed)).toEqual([false, true, false])
  expect(reasons).toEqual(['body_memory'])
  expect(connections.bodyBytes).toBe(61)
  connections.answered(first)
  // A body that is read to its end and discarded after the answer takes no memory.
  connections.received(first, 500)
  expect(connections.bodyBytes).toBe(11)
})

test('requests that share a connection are counted apart, whichever is answered first', async () => {
  const { connections, come } = await open()
  const socket = await come()
  const [first, second] = [requestOn(socket), requestOn(socket)]
  connections.bodyBegins(first)
  connections.received(first, 50)
  connections.working(first)
  connections.bodyBegins(second)
  connections.received(second, 20)
  expect(connections.bodyBytes).toBe(70)
  connections.working(second)
  connections.answered(second)
  expect(connections.isWorking(socket)).toBe(true)
  expect(connections.bodyBytes).toBe(50)
  connections.answered(first)
  expect(connections.isWorking(socket)).toBe(false)
  expect(connections.bodyBytes).toBe(0)
})

test('a connection that its client closes leaves nothing behind', async () => {
  const { connections, come } = await open()
  const socket = await come()
  for (const request of [requestOn(socket), requestOn(socket)]) {
    connections.bodyBegins(request)
    connections.received(request, 50)
  }
  clients.at(-1)?.destroy()
  await until(() => connections.count === 0)
  expect(connections.bodyBytes).toBe(0)
})
