import { memberText } from './json-text.js'

/*
 * Tolerant readers of Clerk's objects. A field that is absent, null or of another type is null: an object that can be
 * keyed is mirrored, even if the rest is odd, since users of the application write much of it.
 */
export type JsonObject = { readonly [key: string]: unknown }

export const asObject = (value: unknown): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** Well-formed text; null when empty, because Clerk's old shapes write "" for an absent value. */
export const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value.toWellFormed() : null

export const flag = (value: unknown): boolean => value === true

/** The last ms that a DATETIME holds: 9999-12-31T23:59:59.999Z. */
const LAST_TIME_MS = 253_402_300_799_999

/** Milliseconds since 1970. */
export const time = (value: unknown): number | null =>
  typeof value === 'number' && value >= 0 && value <= LAST_TIME_MS ? Math.trunc(value) : null

/** The greatest number that an INTEGER column holds. */
const INTEGER_MAX = 2_147_483_647

export const wholeNumber = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX ? value : null

const OBJECT_ID = /^[!-~]{1,64}$/

/** An id that can be a key in the tables: their ASCII collation pads, so `'a '` would be `'a'`. */
export const id = (value: unknown): string | null => (typeof value === 'string' && OBJECT_ID.test(value) ? value : null)

/** Clerk's own text of a member that is an object, such as metadata. `source` is the text of `data`. */
export const objectText = (data: JsonObject, source: string, key: string): string | null =>
  asObject(data[key]) && memberText(source, key)
