import { parseSigningSecrets } from '@clerk-mirror/events'
import { webAddress } from '@clerk-mirror/runtime'
import { WEBHOOK_SECRET_CHARS_MIN } from './policy.js'

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

/** One or several secrets, separated by commas or spaces. Throws an Error that never contains one. */
export function parseWebhookSecrets(raw: string): string[] {
  parseSigningSecrets(raw)
  const secrets = raw.split(/[\s,]+/).filter((secret) => secret !== '')
  if (secrets.some((secret) => secret.replace(/^whsec_/, '').length < WEBHOOK_SECRET_CHARS_MIN)) {
    throw new Error(`holds a secret with fewer than ${WEBHOOK_SECRET_CHARS_MIN} characters behind whsec_`)
  }
  return secrets
}
