import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Webhook } from 'svix'
import { exchange } from './wire.js'

/** Milliseconds of silence after which a request that is not complete never will be. */
const QUIET_MS = 50
/** More than one set of bytes holds. */
const REQUESTS_MAX = 8

/**
 * Says independently of our verifier which events the bytes of a request are a genuine delivery of. Looks no further
 * than so many answers.
 */
export type Judge = AsyncDisposable & { genuineIn: (bytes: Buffer, answers?: number) => Promise<Set<string>> }

/** Node's HTTP, Svix' own library, and nothing of ours. */
export async function openJudge(secret: string): Promise<Judge> {
  const library = new Webhook(secret)
  /** By the port that a request comes from. */
  const genuineOf = new Map<number, Set<string>>()
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    const isWhole = await once(request, 'end').then(
      () => true,
      () => false,
    )
    if (!isWhole) return
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    if (isVerified(() => library.verify(Buffer.concat(chunks), headers))) {
      genuineOf.get(request.socket.remotePort ?? 0)?.add(storedIdOf(headers['svix-id'] ?? headers['webhook-id'] ?? ''))
    }
    response.end('{}')
  })
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    async genuineIn(bytes, answers = REQUESTS_MAX) {
      const genuine = new Set<string>()
      let ownPort = 0
      const onConnect = (localPort: number) => {
        ownPort = localPort
        genuineOf.set(localPort, genuine)
      }
      await exchange(port, bytes, { answers, quietMs: QUIET_MS, onConnect })
      genuineOf.delete(ownPort)
      return genuine
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function isVerified(verify: () => unknown): boolean {
  try {
    verify()
    return true
  } catch {
    return false
  }
}

/** An id that Svix would not make is kept as its hash. */
const storedIdOf = (id: string) =>
  /^msg_[A-Za-z0-9]{1,60}$/.test(id) ? id : `x_${createHash('sha256').update(id).digest('base64url')}`
