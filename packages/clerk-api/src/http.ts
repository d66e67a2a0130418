import { type ProxySettings, proxyAgentOptions, proxyFor, proxyStatusOf, type Secret } from '@clerk-mirror/runtime'
import type { Dispatcher } from 'undici'
import { ANSWER_BYTES_MAX, CONNECTIONS } from './limits.js'

/** The version of the shapes that this program knows. */
const API_VERSION = '2026-05-12'

export type HttpAnswer =
  | { kind: 'answered'; status: number; text: string; retryAfter: string | undefined; dateMs: number }
  /** There is an answer, larger than is read. */
  | { kind: 'too-large' }
  /** None, or not all of it; `reason` is the code of a system's error. */
  | { kind: 'failed'; reason: string }

export type HttpOptions = { url: URL; secretKey: Secret; answerMs: number; proxies: ProxySettings }

/** GET requests to one API. */
export type Http = AsyncDisposable & {
  /** @throws the signal's reason, and nothing else. */
  get: (path: string, signal: AbortSignal) => Promise<HttpAnswer>
}

export function openHttp({ url, secretKey, answerMs, proxies }: HttpOptions): Http {
  const base = new URL(`${url.pathname.replace(/\/+$/, '')}/v1`, url).href
  const headers = {
    accept: 'application/json',
    authorization: `Bearer ${secretKey.reveal()}`,
    'clerk-api-version': API_VERSION,
    'user-agent': 'clerk-mirror',
  }
  let client: Promise<Client> | undefined
  return {
    async get(path, signal) {
      client ??= openClient(proxyFor(url, proxies))
      const { request, dispatcher } = await client
      const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
      try {
        return await read(await request(base + path, { headers, dispatcher, signal: limit }))
      } catch (error) {
        signal.throwIfAborted()
        return { kind: 'failed', reason: reasonOf(error) }
      }
    },
    async [Symbol.asyncDispose]() {
      await (await client)?.dispatcher.destroy()
    },
  }
}

type Client = { request: typeof import('undici').request; dispatcher: Dispatcher }

/** undici takes half a second and 20 MB to load: most commands of an operator never ask Clerk. */
async function openClient(proxy: URL | undefined): Promise<Client> {
  const { Agent, ProxyAgent, request } = await import('undici')
  const connections = CONNECTIONS
  if (proxy === undefined) return { request, dispatcher: new Agent({ connections }) }
  return { request, dispatcher: new ProxyAgent({ ...proxyAgentOptions(proxy), connections }) }
}

async function read({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    // Leaving the loop destroys the body and its connection.
    if (bytes > ANSWER_BYTES_MAX) return { kind: 'too-large' }
  }
  const header = (name: string) => [headers[name]].flat()[0]
  const dateMs = Date.parse(header('date') ?? '')
  return {
    kind: 'answered',
    status: statusCode,
    text: Buffer.concat(chunks).toString(),
    retryAfter: header('retry-after'),
    dateMs: Number.isNaN(dateMs) ? Date.now() : dateMs,
  }
}

/** Its code, else its name: a message may hold an address. */
function reasonOf(error: unknown): string {
  const proxyStatus = proxyStatusOf(error)
  if (proxyStatus !== undefined) return `the proxy answers with ${proxyStatus}`
  const { code, name = 'no answer' } = Object(error) as { code?: unknown; name?: unknown }
  return String(typeof code === 'string' ? code : name)
}
