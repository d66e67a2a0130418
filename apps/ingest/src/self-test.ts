import { type SigningKey, verifyRequest } from '@clerk-mirror/events'
import { Webhook } from 'svix'

/**
 * Svix' own library signs, our verifier checks: before the first request it is certain, for each configured secret,
 * that a request signed by Svix is accepted and any other is refused.
 * @throws when a secret is one that the library does not take, or when the two disagree.
 */
export function testSigningKeys(keys: readonly SigningKey[], nowMs: number): void {
  const body = Buffer.from('{"type":"clerk-mirror.self-test"}')
  for (const [index, key] of keys.entries()) {
    const now = new Date(nowMs)
    const signature = new Webhook(key.toString('base64')).sign('msg_self_test', now, body)
    const seconds = String(Math.floor(nowMs / 1000))
    const headers = ['svix-id', 'msg_self_test', 'svix-timestamp', seconds, 'svix-signature', signature]
    const accepts = (bytes: Buffer) => verifyRequest(headers, bytes, [key], nowMs).kind === 'verified'
    if (!accepts(body) || accepts(Buffer.from('{"type":"changed"}'))) {
      throw new Error(`the verifier and Svix' library disagree about secret ${index + 1} of ${keys.length}`)
    }
  }
}
