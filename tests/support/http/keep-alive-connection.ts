import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answersIn, type RawAnswer } from '../../edge/wire.js'
import { until } from '../until.js'

/** A connection on which one request follows another, as a balancer keeps them. */
export class KeptConnection implements Disposable {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #count = 0
  /** How it ended: in an orderly way, or by a reset. */
  error: string | undefined

  static async open(port: number): Promise<KeptConnection> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    return new KeptConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    socket.on('error', (error: Error & { code?: string }) => {
      this.error = error.code ?? error.message
    })
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  send(bytes: Buffer | string): void {
    this.#socket.write(bytes)
  }

  /** The next answer. */
  async answer(): Promise<RawAnswer> {
    await until(() => answersIn(this.#received).length > this.#count || this.isClosed)
    const answer = answersIn(this.#received)[this.#count]
    if (!answer) throw new Error(`the connection ended without an answer: ${this.error ?? 'closed'}`)
    this.#count += 1
    return answer
  }

  async get(path: string): Promise<RawAnswer> {
    this.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    return await this.answer()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
