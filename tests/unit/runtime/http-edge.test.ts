import { once } from 'node:events'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { HttpEdge } from '@clerk-mirror/runtime'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UNANSWERED_MAX } from '../../../packages/runtime/src/limits.js'
import { answersIn } from '../../edge/wire.js'
import { PATIENCE_MS } from '../../support/until.js'

const REQUEST = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'
const DRAIN_MS = 10_000

const sockets: Socket[] = []
const servers: Server[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function open(listener: RequestListener) {
  const stop = new AbortController()
  let excess = 0
  const edge = new HttpEdge({
    stopping: stop.signal,
    onExcess: () => {
      excess += 1
    },
  })
  const server = edge.createServer({ keepAliveTimeout: 60_000 }, listener)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return {
    ...{ server, port, stop: () => stop.abort(), excess: () => excess },
    close: (drainMs = DRAIN_MS) => edge.close(drainMs),
  }
}

/** A client that keeps the bytes it received. */
async function visit(port: number) {
  const socket = connect({ port, host: '127.0.0.1' })
  sockets.push(socket)
  let received = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
  })
  await once(socket, 'connect')
  return {
    socket,
    send: (text: string) => socket.write(text),
    answers: () => answersIn(received),
    text: () => received.toString('latin1'),
    closed: () => vi.waitFor(() => expect(socket.closed).toBe(true), PATIENCE_MS),
    answered: (count: number) => vi.waitFor(() => expect(answersIn(received)).toHaveLength(count), PATIENCE_MS),
  }
}

const ok: RequestListener = (_request, response) => void response.end('ok')

/** Answers when it is told to. */
function waiting() {
  const responses: ServerResponse[] = []
  const listener: RequestListener = (_request, response) => void responses.push(response)
  const arrived = (count: number) => vi.waitFor(() => expect(responses).toHaveLength(count), PATIENCE_MS)
  return { responses, listener, arrived }
}

describe('requests ahead of their answers', () => {
  test('are served up to the limit', async () => {
    const { port, excess } = await open(ok)
    const client = await visit(port)
    client.send(REQUEST.repeat(UNANSWERED_MAX))
    await client.answered(UNANSWERED_MAX)
    expect(excess()).toBe(0)
  })

  test('end the connection beyond it, before anything more of them is parsed or served', async () => {
    const { responses, listener } = waiting()
    const { server, port, excess } = await open(listener)
    let parsed = 0
    server.on('request', () => {
      parsed += 1
    })
    const client = await visit(port)
    client.send(REQUEST.repeat(2_000))
    await client.closed()
    expect(responses).toHaveLength(UNANSWERED_MAX)
    expect(parsed).toBe(UNANSWERED_MAX)
    expect(excess()).toBe(1)
  })

  test('count while they are unanswered, whatever has been answered before', async () => {
    const { port, excess } = await open(ok)
    const client = await visit(port)
    for (let round = 1; round <= 20; round += 1) {
      client.send(REQUEST)
      await client.answered(round)
    }
    expect([client.socket.closed, excess()]).toEqual([false, 0])
  })

  test('count when they come one by one, too', async () => {
    const { responses, listener, arrived } = waiting()
    const { port, excess } = await open(listener)
    const client = await visit(port)
    for (let count = 1; count <= UNANSWERED_MAX; count += 1) {
      client.send(REQUEST)
      await arrived(count)
    }
    client.send(REQUEST)
    await client.closed()
    expect([responses.length, excess()]).toEqual([UNANSWERED_MAX, 1])
  })

  test('of one connection keep no other from its answer', async () => {
    const { responses, listener, arrived } = waiting()
    const { port } = await open(listener)
    const [greedy, polite] = [await visit(port), await visit(port)]
    polite.send(REQUEST)
    await arrived(1)
    greedy.send(REQUEST.repeat(100))
    await greedy.closed()
    responses[0]?.end('ok')
    await polite.answered(1)
  })
})

test('a body that waits to be asked for is not asked for by the server itself', async () => {
  const { responses, listener, arrived } = waiting()
  const { port } = await open(listener)
  const client = await visit(port)
  client.send('POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n')
  await arrived(1)
  responses[0]?.writeHead(403).end()
  await client.answered(1)
  expect(client.text()).toMatch(/^HTTP\/1\.1 403/)
})

describe('a server whose process is told to stop', () => {
  test('serves on, and ends each connection with its next answer, also to what it had begun before', async () => {
    const { responses, listener, arrived } = waiting()
    const { port, stop } = await open(listener)
    const [begun, kept] = [await visit(port), await visit(port)]
    begun.send(REQUEST)
    kept.send(REQUEST)
    await arrived(2)
    responses[1]?.end('before')
    await kept.answered(1)
    expect(kept.answers()[0]?.headers['connection']).toBe('keep-alive')
    stop()
    const late = await visit(port)
    kept.send(REQUEST)
    late.send(REQUEST)
    await arrived(4)
    for (const response of responses) if (!response.writableEnded) response.end('after')
    for (const client of [begun, kept, late]) {
      await client.closed()
      expect(client.answers().at(-1)).toMatchObject({ status: 200, headers: { connection: 'close' } })
    }
  })

  test('closes connections that are idle, or have never asked, and is done with the last answer', async () => {
    const { responses, listener, arrived } = waiting()
    const { port, stop, close } = await open(listener)
    const [idle, silent, busy] = [await visit(port), await visit(port), await visit(port)]
    idle.send(REQUEST)
    await arrived(1)
    responses[0]?.end('ok')
    await idle.answered(1)
    busy.send(REQUEST)
    await arrived(2)
    stop()
    const closed = close()
    await idle.closed()
    await silent.closed()
    expect(busy.socket.closed).toBe(false)
    responses[1]?.end('last')
    await closed
    await busy.answered(1)
  })
})

describe('a server that is closed while it is asked', () => {
  test('closes a connection after an answer whose headers had promised to keep it', async () => {
    const { responses, listener, arrived } = waiting()
    const { port, stop, close } = await open(listener)
    const client = await visit(port)
    client.send(REQUEST)
    await arrived(1)
    responses[0]?.write('begun ')
    stop()
    const closed = close()
    responses[0]?.end('and ended')
    await closed
    await client.closed()
    expect(client.text()).toContain('and ended')
  })

  test('reads a request to its end that has begun to arrive', async () => {
    const { port, stop, close } = await open(ok)
    const client = await visit(port)
    client.send(REQUEST.slice(0, 10))
    await vi.waitFor(() => expect(client.socket.bytesWritten).toBe(10), PATIENCE_MS)
    const other = await visit(port)
    other.send(REQUEST)
    await other.answered(1) // by now the server has read the first client's bytes
    stop()
    const closed = close()
    client.send(REQUEST.slice(10))
    await closed
    await client.closed()
    expect(client.answers()).toMatchObject([{ status: 200, headers: { connection: 'close' } }])
  })

  test('cuts off what has no end', async () => {
    const { listener, arrived } = waiting()
    const { port, stop, close } = await open(listener)
    const [hanging, slow] = [await visit(port), await visit(port)]
    hanging.send(REQUEST)
    slow.send('GET / HTTP/1.1\r\nx-slow: ')
    await arrived(1)
    stop()
    await close(50)
    await hanging.closed()
    await slow.closed()
  })
})
