import type { SqlValue } from '../database/sql.js'

/** Converts an object to its column's value. No text that an application's user can write may fail here. */
export type Column<T> = (object: T) => SqlValue

/** Text, cut at the column's width in characters. */
export const cut = (text: string | null, width: number): string | null =>
  // MySQL counts characters, JavaScript UTF-16 units: cutting those could halve an emoji.
  text === null || text.length <= width ? text : Array.from(text).slice(0, width).join('')

/** A URL that does not fit is left out: cut, it would lead somewhere else. */
export const wholeUrl = (url: string | null, width: number): string | null =>
  url !== null && url.length > width && Array.from(url).length > width ? null : url
