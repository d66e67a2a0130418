import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import type { EnvelopeKeys } from './encryption-keys.js'

const ALGORITHM = 'aes-256-gcm'
/** The nonce length that GCM takes without hashing. Random for each body: a repeated nonce would reveal both bodies. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** `key-missing`: this process lacks the key. `not-authentic`: these bytes, or the data beside them, were changed. */
export type UndecryptedBody = { keyId: string; fault: 'key-missing' | 'not-authentic' }

/**
 * The text, or the bytes of its UTF-8, encrypted with the first key, as `id:base64url` of nonce, bytes and tag; null
 * without keys. `beside` holds the clear fields of the job: the body decrypts with exactly these, so no body can be
 * moved into another job.
 */
export function encryptBody(text: string | Buffer, beside: string, keys: EnvelopeKeys): string | null {
  const [first] = keys
  if (!first) return null
  const [id, key] = first
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(beside))
  const bytes = Buffer.concat([
    nonce,
    cipher.update(typeof text === 'string' ? Buffer.from(text) : text),
    cipher.final(),
    cipher.getAuthTag(),
  ])
  return `${id}:${bytes.toString('base64url')}`
}

const ENCRYPTED = /^([\w.-]{1,32}):([\w-]+)$/

/**
 * The text, or the reason that it cannot be decrypted. When the key of that id does not decrypt it, the others are
 * tried: a new key in the place of an old one loses no body for good, for the old one can be listed under any id.
 */
export function decryptBody(sealed: string, beside: string, keys: EnvelopeKeys): string | UndecryptedBody {
  const [, keyId = '?', base64 = ''] = ENCRYPTED.exec(sealed) ?? []
  const bytes = Buffer.from(base64, 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return { keyId, fault: 'not-authentic' }
  const named = keys.get(keyId)
  if (!named) return { keyId, fault: 'key-missing' }
  for (const key of new Set([named, ...keys.values()])) {
    const text = decrypted(bytes, beside, key)
    if (text !== null) return text
  }
  return { keyId, fault: 'not-authentic' }
}

function decrypted(bytes: Buffer, beside: string, key: KeyObject): string | null {
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(beside)).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return null
  }
}
