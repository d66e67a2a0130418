import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export type ConnectionLimits = {
  connectionsMax: number
  /** Of all bodies that are arriving, together. */
  bodyBytesMax: number
}

/** Why a connection was closed for others: its place, its memory, or no place was to be had. */
export type CloseReason = 'displaced' | 'body_memory' | 'no_place'

/**
 * The places at the door. A connection waits as long as it is the client's turn: to send a request, to finish one, to
 * read an answer. When all places are taken, whoever has waited longest makes room for the newcomer. Who only holds a
 * place is therefore in nobody's way, however many they are: an honest request is complete within milliseconds of its
 * connection, long before ten thousand others have come. There is no limit by address: behind a proxy all connections
 * come from one, and Svix itself sends from a few.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  readonly #onClose: (reason: CloseReason) => void
  readonly #open = new Set<Socket>()
  /** Those whose turn it is, the longest first. */
  readonly #waiting = new Set<Socket>()
  readonly #bodyBytes = new Map<Socket, number>()
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

  /** Its request is complete: until the answer, it is our turn. */
  working(socket: Socket): void {
    this.#waiting.delete(socket)
  }

  isWorking(socket: Socket): boolean {
    return this.#open.has(socket) && !this.#waiting.has(socket)
  }

  /** Its answer is on the way: the client's turn again. */
  answered(socket: Socket): void {
    this.#forgetBody(socket)
    if (!this.#open.has(socket)) return
    this.#waiting.delete(socket)
    this.#waiting.add(socket)
  }

  bodyBegins(socket: Socket): void {
    if (this.#open.has(socket)) this.#bodyBytes.set(socket, 0)
  }

  received(socket: Socket, bytes: number): void {
    const before = this.#bodyBytes.get(socket)
    if (before === undefined) return
    this.#bodyBytes.set(socket, before + bytes)
    this.#bodyBytesSum += bytes
    for (const [holder, held] of this.#bodyBytes) {
      if (this.#bodyBytesSum <= this.#limits.bodyBytesMax) return
      if (held > 0 && this.#waiting.has(holder)) this.#close(holder, 'body_memory')
    }
  }

  #admit(socket: Socket): void {
    if (this.#open.size >= this.#limits.connectionsMax) {
      const [longest] = this.#waiting
      this.#close(longest ?? socket, longest ? 'displaced' : 'no_place')
      if (!longest) return
    }
    this.#open.add(socket)
    this.#waiting.add(socket)
    socket.once('close', () => this.#forget(socket))
  }

  #close(socket: Socket, reason: CloseReason): void {
    this.#onClose(reason)
    this.#forget(socket)
    socket.destroy()
  }

  #forget(socket: Socket): void {
    this.#forgetBody(socket)
    this.#open.delete(socket)
    this.#waiting.delete(socket)
  }

  #forgetBody(socket: Socket): void {
    this.#bodyBytesSum -= this.#bodyBytes.get(socket) ?? 0
    this.#bodyBytes.delete(socket)
  }
}
