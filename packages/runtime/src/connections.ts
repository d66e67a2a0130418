import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { BODY_PIECE_BYTES } from './limits.js'

export type ConnectionLimits = {
  connectionsMax: number
  /** Of all bodies that are arriving, together. */
  bodyBytesMax: number
}

/** The reason for closing a connection: another one needed its slot, its body's memory, or no slot could be freed. */
export type CloseReason = 'displaced' | 'body_memory' | 'no_place'

/**
 * State of a connection's requests. Per request, because a client may send the next one before the answer to the last:
 * bytes that were counted for one and subtracted for another would in the end refuse every body.
 */
type Held = {
  withBodies: Set<IncomingMessage>
  /** Complete, and not answered yet. */
  working: Set<IncomingMessage>
}

/**
 * The connection slots. A connection waits as long as it is the client's turn: to send a request, to finish one, to
 * read an answer. When all slots are taken, the connection that has waited longest is closed for the new one. Held
 * connections therefore block no other sender, in any number: an honest request is complete within milliseconds of its
 * connection, long before ten thousand others have come. There is no limit by address: behind a proxy all connections
 * come from one, and Svix itself sends from a few.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  readonly #onClose: (reason: CloseReason) => void
  readonly #open = new Map<Socket, Held>()
  /** Connections that wait for their client, the longest first. */
  readonly #waiting = new Set<Socket>()
  /** Bytes of each body that is arriving, or not answered yet; the one that began first comes first. */
  readonly #bodies = new Map<IncomingMessage, number>()
  #bodyBytesSum = 0

  constructor(limits: ConnectionLimits, onClose: (reason: CloseReason) => void) {
    this.#limits = limits
    this.#onClose = onClose
  }

  get count(): number {
    return this.#open.size
  }

  /** Bytes of bodies that are held, of complete ones until they are answered. */
  get bodyBytes(): number {
    return this.#bodyBytesSum
  }

  watch(server: Server): void {
    server.on('connection', (socket) => this.#admit(socket))
  }

  /** The request is complete: until the answer, it is our turn. */
  working(request: IncomingMessage): void {
    const held = this.#open.get(request.socket)
    held?.working.add(request)
    this.#waiting.delete(request.socket)
  }

  isWorking(socket: Socket): boolean {
    return (this.#open.get(socket)?.working.size ?? 0) > 0
  }

  /** The answer has been sent: the client's turn again, unless it has sent another request meanwhile. */
  answered(request: IncomingMessage): void {
    const { socket } = request
    const held = this.#open.get(socket)
    if (!held) return
    this.#forgetBody(request)
    held.withBodies.delete(request)
    held.working.delete(request)
    if (held.working.size > 0) return
    this.#waiting.delete(socket)
    this.#waiting.add(socket)
  }

  /** From here on the body counts by the memory that it takes, until the answer. */
  reading(request: IncomingMessage, body: Readable): void {
    this.bodyBegins(request)
    body.on('data', (piece: Buffer) => this.received(request, BODY_PIECE_BYTES + piece.length))
  }

  bodyBegins(request: IncomingMessage): void {
    const held = this.#open.get(request.socket)
    if (!held) return
    held.withBodies.add(request)
    this.#bodies.set(request, 0)
  }

  received(request: IncomingMessage, bytes: number): void {
    const before = this.#bodies.get(request)
    if (before === undefined) return
    this.#bodies.set(request, before + bytes)
    this.#bodyBytesSum += bytes
    for (const [{ socket }, size] of this.#bodies) {
      if (this.#bodyBytesSum <= this.#limits.bodyBytesMax) return
      if (size > 0 && this.#waiting.has(socket)) this.#close(socket, 'body_memory')
    }
  }

  #admit(socket: Socket): void {
    if (this.#open.size >= this.#limits.connectionsMax) {
      const [longest] = this.#waiting
      this.#close(longest ?? socket, longest ? 'displaced' : 'no_place')
      if (!longest) return
    }
    this.#open.set(socket, { withBodies: new Set(), working: new Set() })
    this.#waiting.add(socket)
    socket.once('close', () => this.#forget(socket))
  }

  #close(socket: Socket, reason: CloseReason): void {
    this.#onClose(reason)
    this.#forget(socket)
    socket.destroy()
  }

  #forget(socket: Socket): void {
    for (const request of this.#open.get(socket)?.withBodies ?? []) this.#forgetBody(request)
    this.#open.delete(socket)
    this.#waiting.delete(socket)
  }

  #forgetBody(request: IncomingMessage): void {
    this.#bodyBytesSum -= this.#bodies.get(request) ?? 0
    this.#bodies.delete(request)
  }
}
