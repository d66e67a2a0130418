import { parseSigningSecrets } from '@clerk-mirror/events'
import { isLoopback, type Log, oneOf, type Parser, type Secret, webAddress } from '@clerk-mirror/runtime'
import { WEBHOOK_SECRET_CHARS_MIN } from '../limits.js'
import { PAYLOAD_SHAPES, type PayloadShape } from './change-payload.js'
import { webhookName } from './change-webhook.js'

export type ChangeWebhookConfig = {
  urls: Secret<URL[]>
  secrets: Secret<string[]>
  payload: PayloadShape
  allowsPrivate: boolean
}

/** One or several addresses, separated by commas or spaces. Throws an Error that never contains one. */
export function parseWebhookUrls(raw: string): URL[] {
  // An address may have commas of its own.
  const urls = raw.split(/[\s,]+(?=https?:\/\/)|\s+/).map((url) => new URL(webAddress(url.replace(/,+$/, ''))))
  if (urls.some(({ username, password }) => username !== '' || password !== '')) {
    throw new Error('must not hold a user or a password: receivers know us by the signature')
  }
  if (new Set(urls.map(({ href }) => href)).size < urls.length) throw new Error('holds an address twice')
  return urls
}

/** Loopback passes no network: `npm start` and a proxy on the same machine need no certificate. */
const isClearText = ({ protocol, hostname }: URL) => protocol === 'http:' && !isLoopback(hostname)

/** Refuses to send whole objects, which are personal data, over networks where anyone on the path can read them. */
export function payloadFor(urls: Secret<URL[]>): Parser<PayloadShape> {
  return (raw) => {
    const shape = oneOf(...PAYLOAD_SHAPES)(raw)
    if (shape !== 'full' || !urls.reveal().some(isClearText)) return shape
    throw new Error(
      'must not be full while an address of CHANGE_WEBHOOK_URLS begins with http://: people’s data would travel in clear text',
    )
  }
}

/** All receivers of requests from a worker. */
type Receivers = { changeWebhooks?: ChangeWebhookConfig | undefined; notifyUrl?: Secret<string> | undefined }

/** A man in the middle can read these requests, and forge others: receivers know us by a signature alone. */
export function warnOfReceivers(log: Log, { changeWebhooks, notifyUrl }: Receivers): void {
  for (const url of changeWebhooks?.urls.reveal().filter(isClearText) ?? []) {
    const reaction = webhookName(url)
    log.warn({ event: 'receiver.clear_text', reaction }, 'changes travel to this receiver in clear text: use https://')
  }
  if (notifyUrl && isClearText(new URL(notifyUrl.reveal()))) {
    log.warn({ event: 'notice.clear_text' }, 'notices of dead letters travel in clear text: use https://')
  }
}

/** One or several secrets, separated by commas or spaces. Throws an Error that never contains one. */
export function parseWebhookSecrets(raw: string): string[] {
  parseSigningSecrets(raw)
  const secrets = raw.split(/[\s,]+/).filter((secret) => secret !== '')
  if (secrets.some((secret) => secret.replace(/^whsec_/, '').length < WEBHOOK_SECRET_CHARS_MIN)) {
    throw new Error(`holds a secret with fewer than ${WEBHOOK_SECRET_CHARS_MIN} characters behind whsec_`)
  }
  return secrets
}
