import type { LookupFunction } from 'node:net'
import { proxyAgentOptions, proxyStatusOf } from '@clerk-mirror/runtime'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { ANSWER_BYTES_MAX, ANSWER_REST_MS } from '../limits.js'

export type OutgoingOptions = {
  url: URL
  proxy: URL | undefined
  /** Maximum number of connections. */
  connections: number
  /** Resolves names where no proxy does. */
  lookup?: LookupFunction
}

export type Answer = { status: number; header: (name: string) => string | undefined }

/** POSTs to one address, through a proxy where there is one. Releases its connections. */
export type Outgoing = Disposable & {
  /** Follows no redirect, and reads only the head of an answer. @throws when there is none. */
  post: (headers: Record<string, string>, body: string, signal: AbortSignal) => Promise<Answer>
}

/** The proxy itself refused: the fault is not the receiver's. */
export class ProxyRefused extends Error {
  override readonly name = 'ProxyRefused'
  readonly status: string

  constructor(status: string, cause: unknown) {
    super(`the proxy answered with ${status}`, { cause })
    this.status = status
  }
}

export function openOutgoing(options: OutgoingOptions): Outgoing {
  const { url } = options
  const dispatcher = dispatcherFor(options)
  return {
    async post(headers, body, signal) {
      const answer = await request(url, { method: 'POST', headers, body, signal, dispatcher }).catch(throwNamed)
      // Reads a short body, so that the connection can be used again, and hangs up on a longer one.
      void answer.body.dump({ limit: ANSWER_BYTES_MAX, signal: AbortSignal.timeout(ANSWER_REST_MS) }).catch(() => {})
      if (options.proxy && answer.statusCode === PROXY_WANTS_PASSWORD) throw new ProxyRefused('407', undefined)
      const header = (name: string) => [answer.headers[name]].flat()[0]
      return { status: answer.statusCode, header }
    },
    [Symbol.dispose]: () => void dispatcher.destroy(),
  }
}

const PROXY_WANTS_PASSWORD = 407

function dispatcherFor({ proxy, connections, lookup }: OutgoingOptions): Dispatcher {
  if (proxy === undefined) return new Agent({ connections, ...(lookup && { connect: { lookup } }) })
  return new ProxyAgent({ ...proxyAgentOptions(proxy), connections })
}

function throwNamed(error: unknown): never {
  const status = proxyStatusOf(error)
  throw status === undefined ? error : new ProxyRefused(status, error)
}
