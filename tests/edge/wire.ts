import { connect, type Socket } from 'node:net'

export type RawAnswer = { status: number; headers: Record<string, string>; body: string }
export type Exchange = { answers: RawAnswer[]; isClosed: boolean }

export type WireOptions = {
  /** Answers after which the exchange is over. */
  answers?: number
  /**
   * Milliseconds of silence after which the client ends its side: a server that still waits for the rest of a request
   * must answer.
   */
  quietMs?: number
  onConnect?: (localPort: number) => void
  /** Milliseconds after which the exchange ends in any case. */
  patienceMs?: number
}

/** Long enough for an answer on a busy machine; only a request that never ends uses it up. */
const PATIENCE_MS = 20_000

/** Bytes as they are on a connection of their own, which no HTTP client makes more polite. */
export function exchange(port: number, bytes: Buffer | string, options: WireOptions = {}): Promise<Exchange> {
  const { answers: wanted = 1, quietMs, onConnect, patienceMs = PATIENCE_MS } = options
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    let isClosed = false
    let answers: RawAnswer[] = []
    const socket = connect({ port, host: '127.0.0.1' })
    const settle = () => {
      clearTimeout(patience)
      // Not in an orderly way: a hundred thousand connections in a row would use up the ports.
      socket.resetAndDestroy()
      resolve({ answers, isClosed })
    }
    const patience = setTimeout(settle, patienceMs)
    socket.once('connect', () => {
      onConnect?.(socket.localPort ?? 0)
      socket.write(bytes)
      if (quietMs !== undefined) socket.setTimeout(quietMs, () => socket.end())
    })
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      answers = answersIn(received)
      if (answers.length >= wanted) settle()
    })
    socket.once('error', (error: Error & { code?: string }) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return
      clearTimeout(patience)
      reject(error)
    })
    socket.once('close', () => {
      isClosed = true
      settle()
    })
  })
}

export type Life = { livedMs: number; said: string }

/** The life of one connection: its duration, and the server's bytes. */
export function lifeOf(port: number, begin: (socket: Socket) => void): Promise<Life> {
  return new Promise((resolve) => {
    const startedMs = performance.now()
    let said = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => begin(socket))
    socket.on('data', (chunk) => {
      said += chunk
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve({ livedMs: performance.now() - startedMs, said }))
  })
}

/** The complete answers at the beginning of a server's output; `100 Continue` is none. */
export function answersIn(received: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = received; rest.length > 0; ) {
    const headEnd = rest.indexOf('\r\n\r\n')
    if (headEnd < 0) break
    const [statusLine = '', ...lines] = rest.subarray(0, headEnd).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':', 1).join().toLowerCase(), textAfterColon(line)]),
    )
    const status = Number(statusLine.split(' ')[1])
    // To HEAD, the length is told and the body left out.
    const isBare = rest.subarray(headEnd + 4).toString('latin1', 0, 7) === 'HTTP/1.'
    const bodyEnd = headEnd + 4 + (isBare ? 0 : Number(headers['content-length']) || 0)
    if (rest.length < bodyEnd) break
    if (status >= 200) answers.push({ status, headers, body: rest.subarray(headEnd + 4, bodyEnd).toString() })
    rest = rest.subarray(bodyEnd)
  }
  return answers
}

const textAfterColon = (line: string) => line.slice(line.indexOf(':') + 1).trim()

/** The stable code of a refusal; undefined when the body is not one of ours. */
export function codeOf({ body }: RawAnswer): string | undefined {
  return /^\{"error":\{"code":"(\w+)","message":"[^"\\]+(?:\\"\w+\\"[^"\\]+)?"\}\}$/.exec(body)?.[1]
}
