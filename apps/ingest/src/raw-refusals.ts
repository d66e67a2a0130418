import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Connections } from '@clerk-mirror/runtime'
import { CODE_OF_NODE, REFUSALS, refusalBody } from './errors.js'
import type { IngestMetrics } from './metrics.js'

/** Bytes that Node could not read as a request, and so never reached Fastify. */
export class RawRefusals {
  readonly #connections: Connections
  readonly #metrics: IngestMetrics
  readonly #refused = new WeakSet<Socket>()

  constructor(connections: Connections, metrics: IngestMetrics) {
    this.#connections = connections
    this.#metrics = metrics
  }

  refuse(error: Error & { code?: string }, socket: Socket): void {
    // An answer that is still being worked out is the one that the client waits for: ours would be taken for it.
    const isTooLate = error.code === 'ECONNRESET' || !socket.writable || this.#connections.isWorking(socket)
    if (isTooLate) return void socket.destroy()
    const code = CODE_OF_NODE[error.code ?? ''] ?? 'malformed_request'
    this.#refused.add(socket)
    this.#metrics.refused.inc({ code })
    const body = JSON.stringify(refusalBody(code))
    const head = `HTTP/1.1 ${REFUSALS[code].status} Refused\r\ncontent-type: application/json; charset=utf-8\r\n`
    socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
  }

  /** True when the connection has its refusal already: the request that it breaks off needs none. */
  has(socket: Socket): boolean {
    return this.#refused.has(socket)
  }

  /** A tunnel, which Node would refuse by itself, and without a body. */
  watch(server: Server): void {
    server.on('connect', (_request, socket: Socket) => {
      // Node has let go of the socket: an error without a listener would end the process.
      socket.on('error', () => socket.destroy())
      this.refuse(new Error('a tunnel was asked for'), socket)
    })
  }
}
