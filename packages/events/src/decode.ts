import type { Envelope } from './envelope.js'
import { asObject, id, type JsonObject } from './fields.js'
import { memberText, wellFormedText, withNulled } from './json-text.js'
import { type ClerkObject, isKnownKind, kindNamed, readObject } from './kinds/index.js'
import type { Owners } from './kinds/kind.js'
import { kindOf, type MirroredKinds } from './mirrored-kinds.js'
import { parseJson } from './peek.js'
import { type Version, versionOf } from './version.js'

/** One event's claim about one Clerk object. */
export type Change = {
  objectKind: string
  objectId: string
  version: Version
  /** Milliseconds: the time of the change according to Clerk; null when Clerk gives none. */
  happenedAtMs: number | null
  owners: Owners
} & (
  | { deleted: true }
  | {
      deleted: false
      /** Clerk's own JSON text, well-formed, without the members that are never stored. */
      data: string
      /** The object in our terms, for the kinds that have a typed table. */
      object: ClerkObject | null
    }
)

export type DecodeResult =
  | { kind: 'change'; change: Change }
  | { kind: 'ignored' }
  /** `at` is a path into the body. Never a value: bodies hold personal data. */
  | { kind: 'malformed'; at: string; message: string }

const TYPE = /^[!-~]{1,100}$/

/** Reads an envelope's body. Pure; never throws. */
export function decode(envelope: Envelope, isMirrored: MirroredKinds): DecodeResult {
  const event = asObject(parseJson(envelope.body))
  if (!event) return malformed('$', 'is not a JSON object')
  const type = event['type']
  if (typeof type !== 'string' || !TYPE.test(type)) return malformed('type', 'is not a short ASCII name')
  const objectKind = kindOf(type)
  if (!isMirrored(objectKind)) return { kind: 'ignored' }
  const data = asObject(event['data'])
  if (!data) return isKnownKind(objectKind) ? malformed('data', 'is not an object') : { kind: 'ignored' }
  // An event of an unknown type without an object has nothing to mirror.
  if (!isKnownKind(objectKind) && typeof data['id'] !== 'string') return { kind: 'ignored' }
  const objectId = id(data['id'])
  if (objectId === null) return malformed('data.id', 'is not a string of 1 to 64 visible ASCII characters')
  return { kind: 'change', change: changeOf(envelope, event, data, objectKind, objectId) }
}

const malformed = (at: string, message: string): DecodeResult => ({
  kind: 'malformed',
  at,
  message: `${at} ${message}`,
})

function changeOf(
  envelope: Envelope,
  event: JsonObject,
  data: JsonObject,
  objectKind: string,
  objectId: string,
): Change {
  const version = versionOf(envelope.eventId, data['updated_at'], event['timestamp'])
  const base = {
    objectKind,
    objectId,
    version,
    happenedAtMs: version.timestampMs === 0 ? null : version.timestampMs,
    owners: kindNamed(objectKind).owners(data),
  }
  // The type makes it a delete: organizationMembership.deleted carries the full object and no `deleted` flag.
  if (String(event['type']).endsWith('.deleted')) return { ...base, deleted: true }
  const dataText = storedText(envelope.body, objectKind)
  return { ...base, deleted: false, data: dataText, object: readObject(objectKind, data, dataText) }
}

function storedText(body: string, objectKind: string): string {
  const original = wellFormedText(memberText(body, 'data') ?? 'null')
  return kindNamed(objectKind).omit.reduce(withNulled, original)
}
