import { createSecretKey, type KeyObject } from 'node:crypto'

/**
 * Keys for the bodies that wait in Redis, by their ids: the first one encrypts, and each decrypts the bodies that it
 * encrypted.
 */
export type EnvelopeKeys = ReadonlyMap<string, KeyObject>

/** Bodies are in clear text. An encrypted body shows as such, and cannot be decrypted. */
export const NO_KEYS: EnvelopeKeys = new Map()

const ENTRY = /^([\w.-]{1,32}):([A-Za-z0-9+/]{43}=)$/

/**
 * `id:base64` of 32 bytes; several are separated by commas or spaces. An id has up to 32 letters, digits, `_`, `.`,
 * `-`. Throws an Error that contains neither a key nor text that may be one.
 */
export function parseEnvelopeKeys(raw: string): EnvelopeKeys {
  const entries = raw.split(/[\s,]+/).filter((entry) => entry !== '')
  const keys = new Map<string, KeyObject>()
  for (const [index, entry] of entries.entries()) {
    const which = entries.length === 1 ? 'is' : `holds entry ${index + 1} of ${entries.length}, which is`
    const [, id = '', base64 = ''] = ENTRY.exec(entry) ?? []
    if (id === '') throw new Error(`${which} not an id, a colon and 32 bytes in base64`)
    if (keys.has(id)) throw new Error('names two keys alike: each needs an id of its own')
    keys.set(id, createSecretKey(base64, 'base64'))
  }
  if (keys.size === 0) throw new Error('holds no key')
  return keys
}
