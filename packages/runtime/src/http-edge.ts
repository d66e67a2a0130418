import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DRAIN_MS, FIRST_REQUEST_MS, QUIET_MS, QUIET_TURNS, UNANSWERED_MAX } from './limits.js'

export type HttpEdgeOptions = {
  /** Aborts when the process is told to stop: from then on each answer is the last one of its connection. */
  stopping: AbortSignal
  /** A connection was closed because it sent more than UNANSWERED_MAX requests ahead of their answers. */
  onExcess?: () => void
}

export type HttpServerOptions = ServerOptions & {
  /**
   * Milliseconds without a byte in either direction, in the middle of a request, after which a connection is closed.
   */
  silenceMs?: number
}

type Connection = {
  unanswered: Set<ServerResponse>
  /** Bytes read when the last request was complete: more of them are the beginning of another one. */
  completeBytes: number
}

/** Node's HTTP parser of a connection. It is no public interface, see `stopsParsing`. */
type Parser = { onIncoming?: (request: IncomingMessage, keepAlive: boolean) => number }

/** An error code for Node's parser: ends the parsing of the bytes that were read. */
const STOP_PARSING = -1

/**
 * Between the network and a framework: limits the requests that a connection sends ahead of their answers, and closes
 * the connections of a process that stops without cutting off an answer.
 */
export class HttpEdge {
  readonly #stopping: AbortSignal
  readonly #onExcess: () => void
  readonly #connections = new Map<Socket, Connection>()
  readonly #servers: Server[] = []
  #admitted = 0
  #isClosing = false

  constructor({ stopping, onExcess = () => {} }: HttpEdgeOptions) {
    this.#stopping = stopping
    this.#onExcess = onExcess
    stopping.addEventListener('abort', () => this.#announceEnd(), { once: true })
  }

  /**
   * A server that passes requests to the listener through this edge. It sends no `100 Continue`: the listener does,
   * after every check but that of the body.
   */
  createServer({ silenceMs, ...options }: HttpServerOptions, listener: RequestListener): Server {
    const server = createServer(options)
    const receive: RequestListener = (request, response) => {
      if (this.#begins(request, response)) listener(request, response)
    }
    // HTTP allows a server to ignore an unknown expectation: the request is handled as any other.
    for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, receive)
    server.on('connection', (socket) => this.#admit(socket))
    if (silenceMs !== undefined) server.setTimeout(silenceMs)
    this.#servers.push(server)
    return server
  }

  /**
   * Stops listening, closes idle connections, and each other one after its last answer; resolves after the last.
   * Connections without an end are cut off after `drainMs`.
   */
  async close(drainMs = DRAIN_MS): Promise<void> {
    await this.#quietMoment()
    this.#isClosing = true
    const listening = this.#servers.filter((server) => server.listening)
    const closed = Promise.all(listening.map((server) => promisify(server.close.bind(server))()))
    this.#closeIdle(({ bytesRead }) => bytesRead > 0)
    // A connection may have been made a moment ago, and its first request may be on its way.
    const first = setTimeout(() => this.#closeIdle(() => true), Math.min(FIRST_REQUEST_MS, drainMs))
    const last = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy()
    }, drainMs)
    try {
      await closed
    } finally {
      clearTimeout(first)
      clearTimeout(last)
    }
  }

  /**
   * The kernel resets the connections that it has made and that were not accepted yet. So the listener is closed after
   * a turn of the event loop that accepted none and was short; under load there may be no such turn, and it ends
   * anyway.
   */
  async #quietMoment(): Promise<void> {
    for (let count = 0; count < QUIET_TURNS; count += 1) {
      const [admitted, startedMs] = [this.#admitted, performance.now()]
      await turn()
      if (this.#admitted === admitted && performance.now() - startedMs < QUIET_MS) return
    }
  }

  #admit(socket: Socket): void {
    this.#admitted += 1
    const connection: Connection = { unanswered: new Set(), completeBytes: 0 }
    this.#connections.set(socket, connection)
    socket.once('close', () => this.#connections.delete(socket))
    this.#stopsParsing(socket, connection)
  }

  /**
   * Node parses all that one read has brought, up to 64 KiB, before anything can be answered: some 3,000 requests,
   * which take 25 ms although none of them is served. Its parser is stopped instead, by a return value of its own
   * callback (Node 20 to 24). Where a Node has no such callback, the limit holds all the same, and costs that time.
   */
  #stopsParsing(socket: Socket & { parser?: Parser }, connection: Connection): void {
    const { parser } = socket
    const onIncoming = parser?.onIncoming
    if (!parser || !onIncoming) return
    parser.onIncoming = (request, keepAlive) => {
      if (connection.unanswered.size < UNANSWERED_MAX) return onIncoming(request, keepAlive)
      this.#closeExcess(socket)
      return STOP_PARSING
    }
  }

  #closeExcess(socket: Socket): void {
    if (socket.destroyed) return
    this.#onExcess()
    socket.destroy()
  }

  /** Whether the request is to be handled. */
  #begins(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    const connection = this.#connections.get(socket)
    if (connection === undefined || socket.destroyed) return false
    if (connection.unanswered.size >= UNANSWERED_MAX) {
      this.#closeExcess(socket)
      return false
    }
    connection.unanswered.add(response)
    if (this.#stopping.aborted) response.setHeader('connection', 'close')
    // The rest of a body is read after an early refusal: the request is complete after its answer.
    request.once('close', () => this.#isComplete(socket, connection))
    response.once('close', () => {
      connection.unanswered.delete(response)
      this.#isComplete(socket, connection)
    })
    return true
  }

  #isComplete(socket: Socket, connection: Connection): void {
    connection.completeBytes = socket.bytesRead
    if (this.#isClosing && connection.unanswered.size === 0) socket.destroySoon()
  }

  #announceEnd(): void {
    for (const { unanswered } of this.#connections.values()) {
      for (const response of unanswered) if (!response.headersSent) response.setHeader('connection', 'close')
    }
  }

  #closeIdle(isMeant: (socket: Socket) => boolean): void {
    for (const [socket, { unanswered, completeBytes }] of this.#connections) {
      const isIdle = unanswered.size === 0 && socket.bytesRead === completeBytes
      if (isIdle && isMeant(socket)) socket.destroySoon()
    }
  }
}
