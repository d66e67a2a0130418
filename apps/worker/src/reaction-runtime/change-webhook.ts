import { createHash } from 'node:crypto'
import { Failure } from '@clerk-mirror/events'
import { REACTION_CONSUMER_PROFILE } from '@clerk-mirror/queue/consume'
import { NO_PROXIES, type ProxySettings, proxyFor } from '@clerk-mirror/runtime'
import { Webhook } from 'svix'
import { DELIVERY_MS, RETRY_AFTER_MAX_MS } from '../limits.js'
import type { Reaction, ReactionRun } from '../reactions/reaction.js'
import { changeBody, type PayloadShape } from './change-payload.js'
import { type Answer, openOutgoing, ProxyRefused } from './outgoing.js'
import { demandPublicHost, demandPublicName, lookupPublic } from './public-address.js'
import { TryLater } from './run-reaction.js'

export type ChangeWebhook = {
  url: URL
  /** Every body is signed with each secret: a receiver accepts any signature that it knows. */
  secrets: readonly string[]
  payload: PayloadShape
  allowsPrivate: boolean
  proxies?: ProxySettings | undefined
}

/** Releases its connections. */
export type WebhookReaction = Reaction & Disposable

/**
 * A receiver of changes over HTTP, as a reaction of its own: signed by the Standard Webhooks scheme. Any 2xx answer
 * completes the run, any other leads to a retry; 410 means that the receiver is gone for good.
 */
export function webhookReaction(webhook: ChangeWebhook): WebhookReaction {
  const { url, secrets, payload, allowsPrivate, proxies = NO_PROXIES } = webhook
  const signers = secrets.map((secret) => new Webhook(secret))
  const proxy = proxyFor(url, proxies)
  const outgoing = openOutgoing({
    ...{ url, proxy, connections: REACTION_CONSUMER_PROFILE.inFlight },
    ...(!allowsPrivate && { lookup: lookupPublic }),
  })
  return {
    name: webhookName(url),
    wants: ['*'],
    timeoutMs: DELIVERY_MS,
    async react(run) {
      if (!allowsPrivate) demandPublicHost(url)
      if (!allowsPrivate && proxy) demandPublicName(url)
      const body = await changeBody(run, payload)
      judge(await outgoing.post(headersOf(run, body, signers), body, run.signal).catch(unreachable))
    },
    [Symbol.dispose]: () => outgoing[Symbol.dispose](),
  }
}

/** A hash, because the address may hold a secret, and the name appears in metrics and keys. */
export const webhookName = (url: URL) => `webhook-${createHash('sha256').update(url.href).digest('hex').slice(0, 8)}`

function headersOf({ idempotencyKey }: ReactionRun, body: string, signers: readonly Webhook[]): Record<string, string> {
  const now = new Date()
  return {
    'content-type': 'application/json',
    'user-agent': 'clerk-mirror',
    'webhook-id': idempotencyKey,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': signers.map((signer) => signer.sign(idempotencyKey, now, body)).join(' '),
  }
}

/** The error's message may contain the address: only its code is passed on. */
function unreachable(error: unknown): never {
  if (error instanceof Failure) throw error
  throw new Failure('unknown', 'receiver_unreachable', `the receiver cannot be reached: ${reasonOf(error)}`, error)
}

/** The code of a system error; otherwise the error's name, such as that of a timeout. */
function reasonOf(error: unknown): string {
  if (error instanceof ProxyRefused) return error.message
  const { code, name = 'no answer' } = Object(error) as { code?: unknown; name?: unknown }
  return String(typeof code === 'string' ? code : name)
}

/** @throws Failure unless the receiver has accepted the change. */
function judge({ status, header }: Answer): void {
  if (status >= 200 && status < 300) return
  const message = `the receiver answered with ${status}`
  if (status === 410) throw new Failure('poison', 'receiver_gone', message)
  const waitMs = retryAfterMs(header('retry-after'), Date.now())
  throw new TryLater(new Failure('unknown', 'receiver_refused', message), waitMs)
}

/** Seconds or a date, as RFC 9110 has it; 0 for anything else. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? ''
  // Date.parse takes almost anything for a date.
  const atMs = / GMT$/.test(text) ? Date.parse(text) : Number.NaN
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : atMs - nowMs
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS)
}
