import { createHmac, timingSafeEqual } from 'node:crypto'
import { SIGNATURE_TOLERANCE_MS, SIGNING_SECRET_BYTES_MIN } from './limits.js'

export type SignatureVerdict =
  | { kind: 'verified'; svixId: string }
  | { kind: 'rejected'; code: SignatureFault; message: string }

export type SignatureFault =
  | 'missing_header'
  | 'repeated_header'
  | 'invalid_timestamp'
  | 'stale_timestamp'
  | 'invalid_signature'

export type SigningKey = Buffer

const SECRET_PREFIX = 'whsec_'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** One or several secrets, separated by commas or spaces. Throws an Error that never contains one. */
export function parseSigningSecrets(raw: string): SigningKey[] {
  const secrets = raw.split(/[\s,]+/).filter((secret) => secret !== '')
  if (secrets.length === 0) throw new Error('holds no secret')
  return secrets.map((secret, index) => {
    const base64 = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret
    const which = secrets.length === 1 ? 'is' : `holds secret ${index + 1} of ${secrets.length}, which is`
    if (base64 === '' || !BASE64.test(base64)) throw new Error(`${which} not "whsec_" and base64`)
    const key = Buffer.from(base64, 'base64')
    if (key.length >= SIGNING_SECRET_BYTES_MIN) return key
    throw new Error(`${which} shorter than ${SIGNING_SECRET_BYTES_MIN} bytes, and can be guessed`)
  })
}

/**
 * Signature headers that are present, once each, and whose timestamp is near. `checkSignatureHeaders` alone makes one,
 * so that a value of this type proves the check: no signature is verified over headers that nothing has looked at.
 */
class CheckedSignatureHeaders {
  readonly id: string
  readonly seconds: number
  // Private, or any object with the same members would pass for a checked one.
  readonly #signatures: string

  constructor(id: string, seconds: number, signatures: string) {
    this.id = id
    this.seconds = seconds
    this.#signatures = signatures
  }

  get signatures(): string {
    return this.#signatures
  }
}

export type { CheckedSignatureHeaders }

export type HeaderVerdict =
  | { kind: 'plausible'; headers: CheckedSignatureHeaders }
  | (SignatureVerdict & { kind: 'rejected' })

/**
 * Checks everything about a signature that can be checked before the body has arrived: the three headers are present,
 * once each, and the timestamp is near. `rawHeaders` is Node's flat list of names and values, which still shows a
 * header that was sent twice.
 */
export function checkSignatureHeaders(rawHeaders: readonly string[], nowMs: number): HeaderVerdict {
  const headers = namedHeaders(rawHeaders)
  if (typeof headers === 'string') {
    return rejected('repeated_header', `The header ${headers} was sent more than once.`)
  }
  const { id, timestamp, signature } = headers
  if (!id || !timestamp || !signature) {
    const missing = !id ? 'svix-id' : !timestamp ? 'svix-timestamp' : 'svix-signature'
    return rejected('missing_header', `The header ${missing} is missing or empty.`)
  }
  if (!/^\d{1,15}$/.test(timestamp)) {
    return rejected('invalid_timestamp', 'The header svix-timestamp is not a number of seconds.')
  }
  const seconds = Number(timestamp)
  if (Math.abs(Math.floor(nowMs / 1000) - seconds) * 1000 > SIGNATURE_TOLERANCE_MS) {
    return rejected('stale_timestamp', 'The signature is older or newer than five minutes.')
  }
  return { kind: 'plausible', headers: new CheckedSignatureHeaders(id, seconds, signature) }
}

/**
 * Verifies a Svix signature over the raw bytes, with Svix' or the Standard Webhooks' header names; Svix' take
 * precedence. Agrees with the vendors' libraries except for timestamps that are no plain number, which those parse
 * leniently.
 */
export function verifySignature(
  headers: CheckedSignatureHeaders,
  body: Buffer,
  keys: readonly SigningKey[],
): SignatureVerdict {
  const { id, seconds, signatures } = headers
  if (!isSigned(`${id}.${seconds}.`, body, signatures, keys)) {
    return rejected('invalid_signature', 'No signature matches.')
  }
  return { kind: 'verified', svixId: id }
}

/** Both checks at once, for a request whose body is there already. */
export function verifyRequest(
  rawHeaders: readonly string[],
  body: Buffer,
  keys: readonly SigningKey[],
  nowMs: number,
): SignatureVerdict {
  const checked = checkSignatureHeaders(rawHeaders, nowMs)
  return checked.kind === 'rejected' ? checked : verifySignature(checked.headers, body, keys)
}

const rejected = (code: SignatureFault, message: string) => ({ kind: 'rejected' as const, code, message })

function isSigned(head: string, body: Buffer, signatures: string, keys: readonly SigningKey[]): boolean {
  const candidates = signatures
    .split(' ')
    .map((versioned) => versioned.split(','))
    .filter(([version]) => version === 'v1')
    .map(([, signature]) => Buffer.from(signature ?? ''))
  if (candidates.length === 0) return false
  return keys.some((key) => {
    const expected = Buffer.from(createHmac('sha256', key).update(head).update(body).digest('base64'))
    return candidates.some((given) => given.length === expected.length && timingSafeEqual(given, expected))
  })
}

type NamedHeaders = { id?: string; timestamp?: string; signature?: string }

const isPart = (name: string): name is keyof NamedHeaders =>
  name === 'id' || name === 'timestamp' || name === 'signature'

/** The name of a repeated header, or the three values. */
function namedHeaders(rawHeaders: readonly string[]): NamedHeaders | string {
  const svix: NamedHeaders = {}
  const standard: NamedHeaders = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? ''
    const dash = name.indexOf('-')
    const family = name.slice(0, dash)
    const part = name.slice(dash + 1)
    if ((family !== 'svix' && family !== 'webhook') || !isPart(part)) continue
    const headers = family === 'svix' ? svix : standard
    if (headers[part] !== undefined) return name
    headers[part] = rawHeaders[index + 1] ?? ''
  }
  return { ...standard, ...svix }
}
