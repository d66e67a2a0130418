import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Connections } from './connections.js'

export type BodyLimits = {
  bytesMax: number
  /** The accepted media types. */
  types: readonly string[]
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/**
 * Whether the connection may be kept after an answer that came before the body: the rest of a short one is read and
 * discarded. After `Expect: 100-continue`, it is unknown whether the body comes.
 */
const isLeftShort = (request: IncomingMessage, bytesMax: number): boolean => {
  const { headers } = request
  if (request.complete || !hasBody(request)) return true
  const isCounted = headers['transfer-encoding'] === undefined && headers.expect === undefined
  return isCounted && Number(headers['content-length']) <= bytesMax
}

/**
 * Sends `100 Continue` where the client waits for it, unless the framework refuses the request by its headers alone.
 */
function askForBody(request: IncomingMessage, response: ServerResponse, { bytesMax, types }: BodyLimits): void {
  const { headers, method } = request
  const isRead = method === 'GET' || method === 'HEAD' // Fastify reads no body of these methods
  if (isRead || headers.expect?.toLowerCase() !== '100-continue') return
  const type = headers['content-type']?.split(';', 1).join().trim().toLowerCase() ?? ''
  if (types.includes(type) && Number(headers['content-length'] ?? 0) <= bytesMax) response.writeContinue()
}

type Request = { readonly raw: IncomingMessage }
type Reply = { readonly raw: ServerResponse; header: (name: string, value: string) => unknown }

/**
 * The hooks of a Fastify server that read bodies: a client that waits for `100 Continue` gets it once the headers have
 * passed every check, and an answer that comes before a long body closes the connection.
 */
export const bodyHooks = (limits: BodyLimits) => ({
  preParsing({ raw }: Request, reply: Reply, payload: Readable, done: (error: null, payload: Readable) => void): void {
    askForBody(raw, reply.raw, limits)
    done(null, payload)
  },
  onSend<T>({ raw }: Request, reply: Reply, payload: T, done: (error: null, payload: T) => void): void {
    closeBeforeLongBody(raw, reply, limits.bytesMax)
    done(null, payload)
  },
})

/** For answers that pass no hook: Fastify calls none for a path that it cannot decode. */
export function closeBeforeLongBody(request: IncomingMessage, reply: Pick<Reply, 'header'>, bytesMax: number): void {
  if (!isLeftShort(request, bytesMax)) reply.header('connection', 'close')
}

/** The hooks that track each connection's turn, and the bytes of its bodies in memory. */
export const connectionHooks = (connections: Connections) => ({
  // A callback instead of a promise: otherwise events would pass before a listener exists.
  preParsing({ raw }: Request, _reply: Reply, payload: Readable, done: (error: null, payload: Readable) => void): void {
    connections.reading(raw, payload)
    done(null, payload)
  },
  preHandler({ raw }: Request, _reply: Reply, done: () => void): void {
    connections.working(raw)
    done()
  },
  onSend<T>({ raw }: Request, _reply: Reply, payload: T, done: (error: null, payload: T) => void): void {
    connections.answered(raw)
    done(null, payload)
  },
})
