import { createPublicKey } from 'node:crypto'

const RSA_BITS = 2048
const PUBLISHABLE = /^pk_(?:test|live)_([A-Za-z0-9+/=_-]+)$/
const HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i

/** The PEM public key of a Clerk instance; `\n` may stand for line breaks, for a setting is one line. */
export function parseJwtKey(raw: string): string {
  const pem = raw.replaceAll('\\n', '\n')
  if (!isClerksKind(pem)) {
    throw new Error('must be the PEM public key that the Clerk dashboard shows, -----BEGIN PUBLIC KEY----- and all')
  }
  return pem
}

/** Clerk signs with RSA keys of 2048 bits, and its library can verify with no other. */
function isClerksKind(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem)
    return asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength === RSA_BITS
  } catch {
    return false
  }
}

/** Origins, separated by commas or spaces. */
export function parseOrigins(raw: string): string[] {
  const origins = raw.split(/[\s,]+/).filter((each) => each !== '')
  if (origins.length === 0 || !origins.every(isOrigin))
    throw new Error('must be origins such as https://example.com, separated by commas')
  return origins
}

const isOrigin = (text: string) =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text

/** A publishable key and what it is made of: the host of the instance's Frontend API, which serves Clerk's scripts. */
export type PublishableKey = { key: string; frontendApi: string }

export function parsePublishableKey(raw: string): PublishableKey {
  const decoded = Buffer.from(PUBLISHABLE.exec(raw)?.[1] ?? '', 'base64').toString('latin1')
  const frontendApi = decoded.replace(/\$$/, '')
  if (!decoded.endsWith('$') || !HOST.test(frontendApi)) {
    throw new Error(
      'must be the publishable key that the Clerk dashboard shows, which begins with pk_test_ or pk_live_',
    )
  }
  return { key: raw, frontendApi }
}
