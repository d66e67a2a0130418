import { createPublicKey } from 'node:crypto'

const RSA_BITS = 2048
const PUBLISHABLE = /^pk_(?:test|live)_([A-Za-z0-9+/=_-]+)$/
const HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i

const PUBLIC_EXPONENT = 65_537n
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The public key of a Clerk instance, as the PEM that the dashboard shows, in every form that settings are squeezed
 * into and that Clerk's own library takes: with `\n` or spaces for line breaks, or none, in quotes, or the body alone.
 */
export function parseJwtKey(raw: string): string {
  const body = raw
    .replace(/\\r|\\n/g, '\n')
    .replace(/-----(?:BEGIN|END) PUBLIC KEY-----/g, '')
    .replace(/[\s"']/g, '')
  const pem = BASE64.test(body) && clerksPem(Buffer.from(body, 'base64'))
  if (!pem) {
    throw new Error(
      'must be the PEM public key that the Clerk dashboard shows, with or without -----BEGIN PUBLIC KEY-----',
    )
  }
  return pem
}

/** Clerk signs with RSA keys of 2048 bits and the usual exponent, and its library can verify with no other. */
function clerksPem(der: Buffer): string | null {
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {}
    const isClerks = key.asymmetricKeyType === 'rsa' && modulusLength === RSA_BITS && publicExponent === PUBLIC_EXPONENT
    return isClerks ? key.export({ type: 'spki', format: 'pem' }).toString() : null
  } catch {
    return null
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

/** A publishable key and its content: the host of the instance's Frontend API, which serves Clerk's scripts. */
export type PublishableKey = { key: string; frontendApi: string; isProduction: boolean }

export function parsePublishableKey(raw: string): PublishableKey {
  const decoded = Buffer.from(PUBLISHABLE.exec(raw)?.[1] ?? '', 'base64').toString('latin1')
  const frontendApi = decoded.replace(/\$$/, '')
  if (!decoded.endsWith('$') || !HOST.test(frontendApi)) {
    throw new Error(
      'must be the publishable key that the Clerk dashboard shows, which begins with pk_test_ or pk_live_',
    )
  }
  return { key: raw, frontendApi, isProduction: raw.startsWith('pk_live_') }
}
