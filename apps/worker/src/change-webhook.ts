import { createHash } from 'node:crypto'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Failure } from '@clerk-mirror/events'
import { REACTION_PACE } from '@clerk-mirror/queue'
import { Webhook } from 'svix'
import { changeBody, type PayloadShape } from './change-payload.js'
import { ANSWER_BYTES_MAX, ANSWER_REST_MS, DELIVERY_MS, RETRY_AFTER_MAX_MS } from './policy.js'
import { demandPublicHost, lookupPublic } from './public-address.js'
import type { Reaction, Run } from './reactions/reaction.js'
import { TryLater } from './run-reaction.js'

export type ChangeWebhook = {
  url: URL
  /** Every body is signed with each: a receiver takes one that it knows. */
  secrets: readonly string[]
  payload: PayloadShape
  allowsPrivate: boolean
}

/** Releases its connections. */
export type WebhookReaction = Reaction & Disposable

/**
 * A receiver of changes over HTTP, as a reaction of its own: signed by the Standard Webhooks scheme. Any answer of 2xx is
 * taken for "done", any other for "again"; 410 says that nobody wants it any more.
 */
export function webhookReaction({ url, secrets, payload, allowsPrivate }: ChangeWebhook): WebhookReaction {
  const signers = secrets.map((secret) => new Webhook(secret))
  const isTls = url.protocol === 'https:'
  const agentOptions = {
    keepAlive: true,
    maxSockets: REACTION_PACE.inFlight,
    ...(!allowsPrivate && { lookup: lookupPublic }),
  }
  const agent = isTls ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions)
  const post = (headers: Record<string, string>, body: string, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: 'POST', headers, agent, signal }
      const request = isTls ? requestHttps(url, options, resolve) : requestHttp(url, options, resolve)
      request.once('error', reject)
      request.end(body)
    })
  return {
    name: webhookName(url),
    wants: ['*'],
    timeoutMs: DELIVERY_MS,
    async react(run) {
      if (!allowsPrivate) demandPublicHost(url)
      const body = await changeBody(run, payload)
      judge(await post(headersOf(run, body, signers), body, run.signal).catch(unreachable))
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** Not the address itself, which may hold a secret, and stands in metrics and keys here. */
export const webhookName = (url: URL) => `webhook-${createHash('sha256').update(url.href).digest('hex').slice(0, 8)}`

function headersOf({ idempotencyKey }: Run, body: string, signers: readonly Webhook[]): Record<string, string> {
  const now = new Date()
  return {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'clerk-mirror',
    'webhook-id': idempotencyKey,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': signers.map((signer) => signer.sign(idempotencyKey, now, body)).join(' '),
  }
}

/** Its message may name the address: only the code is told. */
function unreachable(error: unknown): never {
  if (error instanceof Failure) throw error
  const { code = 'no answer' } = Object(error) as { code?: unknown }
  throw new Failure('unknown', 'receiver_unreachable', `the receiver cannot be reached: ${String(code)}`, error)
}

/** @throws Failure unless the receiver has taken it. */
function judge(answer: IncomingMessage): void {
  const { statusCode: status = 0, headers } = answer
  discard(answer)
  if (status >= 200 && status < 300) return
  const message = `the receiver answered with ${status}`
  if (status === 410) throw new Failure('poison', 'receiver_gone', message)
  const waitMs = retryAfterMs(headers['retry-after'], Date.now())
  throw new TryLater(new Failure('unknown', 'receiver_refused', message), waitMs)
}

/** Lets a short body in, so that the connection can be used again, and hangs up on anything else. */
function discard(answer: IncomingMessage): void {
  let bytes = 0
  const timer = setTimeout(() => answer.destroy(), ANSWER_REST_MS)
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) answer.destroy()
  })
  answer.on('error', () => {})
  answer.once('close', () => clearTimeout(timer))
}

/** Seconds or a date, as RFC 9110 has it; 0 for anything else. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? ''
  // Date.parse takes almost anything for a date.
  const atMs = / GMT$/.test(text) ? Date.parse(text) : Number.NaN
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : atMs - nowMs
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS)
}
