import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A proxy between a client and a server on this machine that injects faults on demand. */
export interface FaultProxy extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number
  /** Ends every fault. A connection that was half-open stays dead, like one whose other end has lost its state. */
  pass(): void
  /** Resets every open connection; new ones are made as before. */
  cut(): void
  /** Resets every connection, and each new one at once. */
  refuse(): void
  /** Delays all bytes by this many milliseconds, each way. */
  delay(ms: number): void
  /** Connections stay open, new ones are made, and no byte sent on them arrives, now or later. */
  halfOpen(): void
  /** From now on new connections go to the server on this port; open ones stay. */
  retarget(targetPort: number): void
  /** Resets each connection on which the client sends this text; null ends it. Independent of the other faults. */
  breakOn(text: string | null): void
}

/** Listens at once; the server behind it need not be up. Without a port it takes a free one. */
export async function openFaultProxy({ port, targetPort }: { port?: number; targetPort: number }): Promise<FaultProxy> {
  // Half-open allowed: a client that has finished sending may still be answered.
  const server = createServer({ allowHalfOpen: true })
  server.listen(port ?? 0, LOOPBACK)
  await once(server, 'listening')
  return new Intermediary(server, targetPort)
}

const LOOPBACK = '127.0.0.1'

type Mode = 'pass' | 'refuse' | 'half-open'

class Intermediary implements FaultProxy {
  readonly port: number
  readonly #server: Server
  #targetPort: number
  readonly #connections = new Set<Connection>()
  #mode: Mode = 'pass'
  delayMs = 0
  forbidden: string | null = null

  constructor(server: Server, targetPort: number) {
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#targetPort = targetPort
    server.on('connection', (socket) => this.#take(socket))
  }

  #take(client: Socket): void {
    if (this.#mode === 'refuse') return void client.on('error', () => {}).resetAndDestroy()
    const connection = new Connection(client, this.#targetPort, this)
    this.#connections.add(connection)
    if (this.#mode === 'half-open') connection.swallow()
    client.once('close', () => this.#connections.delete(connection))
  }

  pass(): void {
    this.#mode = 'pass'
    this.delayMs = 0
  }

  cut(): void {
    for (const connection of this.#connections) connection.reset()
  }

  refuse(): void {
    this.#mode = 'refuse'
    this.cut()
  }

  delay(ms: number): void {
    this.delayMs = ms
  }

  halfOpen(): void {
    this.#mode = 'half-open'
    for (const connection of this.#connections) connection.swallow()
  }

  retarget(targetPort: number): void {
    this.#targetPort = targetPort
  }

  breakOn(text: string | null): void {
    this.forbidden = text
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#mode = 'refuse'
    this.cut()
    await closed
  }
}

class Connection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #faults: { readonly delayMs: number; readonly forbidden: string | null }
  #isSwallowed = false
  /** The end of the client's last bytes: a text may come in two pieces. */
  #tail = ''

  constructor(client: Socket, targetPort: number, faults: { delayMs: number; forbidden: string | null }) {
    this.#client = client.setNoDelay()
    this.#server = connect({ port: targetPort, host: LOOPBACK, allowHalfOpen: true }).setNoDelay()
    this.#faults = faults
    this.#join(client, this.#server, (bytes) => this.#isForbidden(bytes))
    this.#join(this.#server, client, () => false)
  }

  reset(): void {
    for (const socket of [this.#client, this.#server]) if (!socket.destroyed) socket.resetAndDestroy()
  }

  /** Both ends keep their sockets and believe that the other is alive. */
  swallow(): void {
    this.#isSwallowed = true
    for (const socket of [this.#client, this.#server]) socket.resume()
    this.#client.once('close', () => this.#server.destroy())
  }

  #join(from: Socket, to: Socket, isForbidden: (bytes: Buffer) => boolean): void {
    const line = new DelayLine(this.#faults)
    from.on('data', (bytes: Buffer) => {
      if (this.#isSwallowed) return
      if (isForbidden(bytes)) return this.reset()
      from.pause()
      line.push(() => {
        // Backpressure: a side that does not read keeps the other from filling our memory.
        if (this.#isSwallowed || to.destroyed || to.write(bytes)) from.resume()
        else to.once('drain', () => from.resume())
      })
    })
    from.on('error', () => {}) // its 'close' event follows
    from.once('end', () => line.push(() => void (this.#isSwallowed || to.end())))
    from.once('close', () => line.push(() => void (this.#isSwallowed || to.destroy())))
  }

  #isForbidden(bytes: Buffer): boolean {
    const { forbidden } = this.#faults
    if (forbidden === null) return false
    const text = this.#tail + bytes.toString('latin1')
    this.#tail = text.slice(-forbidden.length)
    return text.includes(forbidden)
  }
}

/** Runs tasks in order, each not before its delay is over. */
class DelayLine {
  readonly #faults: { readonly delayMs: number }
  readonly #waiting: { atMs: number; act: () => void }[] = []

  constructor(faults: { readonly delayMs: number }) {
    this.#faults = faults
  }

  push(act: () => void): void {
    const { delayMs } = this.#faults
    if (delayMs === 0 && this.#waiting.length === 0) {
      act()
      return
    }
    this.#waiting.push({ atMs: performance.now() + delayMs, act })
    if (this.#waiting.length === 1) this.#wait()
  }

  #wait(): void {
    const [next] = this.#waiting
    if (next === undefined) return
    setTimeout(
      () => {
        this.#waiting.shift()
        next.act()
        this.#wait()
      },
      Math.max(0, next.atMs - performance.now()),
    )
  }
}
