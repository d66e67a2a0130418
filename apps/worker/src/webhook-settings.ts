import { parseSigningSecrets } from '@clerk-mirror/events'
import { webAddress } from '@clerk-mirror/runtime'

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
  return raw.split(/[\s,]+/).filter((secret) => secret !== '')
}
