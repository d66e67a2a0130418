/*
 * Operations on JSON as text. The mirror keeps Clerk's own text: parsing and printing it again would round large
 * integers, drop duplicate keys and overflow the stack on deep nesting. All functions expect text that JSON.parse has
 * accepted, so they only have to find where values begin and end.
 */

export const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
/** Brackets and braces differ in one bit. */
const BRACKET_BIT = 0x20
const OPENING = 0x7b
const CLOSING = 0x7d
export const SPACE = 0x20

/** The text of the member `key` of the object that `text` is; the last one counts, as in JSON.parse. */
export function memberText(text: string, key: string): string | null {
  let found: string | null = null
  eachMember(text, (at, keyEnd, start, end) => {
    if (isKey(text, at, keyEnd, key)) found = text.slice(start, end)
  })
  return found
}

/** The texts of the elements of the list that `text` is. */
export function elementTexts(text: string): string[] {
  const texts: string[] = []
  let at = skipSpace(text, skipSpace(text, 0) + 1)
  while (at < text.length && (text.charCodeAt(at) | BRACKET_BIT) !== CLOSING) {
    const end = skipValue(text, at)
    texts.push(text.slice(at, end))
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return texts
}

type Visit = (key: number, keyEnd: number, start: number, end: number) => void

/** Calls `visit` for each member with the positions of its key, quotes included, and of its value. */
export function eachMember(text: string, visit: Visit): void {
  let at = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = skipString(text, at)
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = skipValue(text, start)
    visit(at, keyEnd, start, end)
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
}

/** The text with the value of every member called `key`, at any depth and in any spelling, replaced by null. */
export function withNulled(text: string, key: string): string {
  // A key of ASCII letters can be spelled with such escapes and no others; most bodies have none.
  if (!text.includes(key) && !text.includes('\\u00')) return text
  let result = ''
  let copied = 0
  let at = text.indexOf('"')
  while (at !== -1) {
    const stringEnd = skipString(text, at)
    const colon = skipSpace(text, stringEnd)
    if (text.charCodeAt(colon) === COLON && isKey(text, at, stringEnd, key)) {
      const start = skipSpace(text, colon + 1)
      result += `${text.slice(copied, start)}null`
      copied = skipValue(text, start)
      at = text.indexOf('"', copied)
    } else {
      at = text.indexOf('"', stringEnd)
    }
  }
  return result + text.slice(copied)
}

const ESCAPES = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[dD][89a-fA-F][\da-fA-F]{2}|.)/gs
const LONE_SURROGATE_LENGTH = '\\ud83d'.length

/** Lone surrogates, raw or escaped, become U+FFFD: MySQL's JSON functions refuse text that holds one. */
export function wellFormedText(text: string): string {
  if (!/\\u[dD]/.test(text)) return text.toWellFormed()
  const isLone = (sequence: string) => sequence.length === LONE_SURROGATE_LENGTH
  return text.replace(ESCAPES, (sequence) => (isLone(sequence) ? '\\ufffd' : sequence)).toWellFormed()
}

/** Whether the string between these two positions, quotes included, is `key`, which may be written with escapes. */
function isKey(text: string, start: number, end: number, key: string): boolean {
  if (end - start === key.length + 2) return text.startsWith(key, start + 1)
  // An escape is longer than its character.
  if (end - start < key.length + 2) return false
  const quoted = text.slice(start, end)
  return quoted.includes('\\') && JSON.parse(quoted) === key
}

// By codes and not by characters: this walks over every byte that the mirror stores. Each step goes forward, so that
// the walk ends on any text.

export function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= SPACE) at += 1
  return at
}

/** Whether a list or an object begins here. */
export const isOpening = (code: number): boolean => (code | BRACKET_BIT) === OPENING

/** Most of a body is strings, and native code finds their ends. */
function skipString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1)
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at === -1 ? text.length : at + 1
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
  return (at - first) % 2 === 1
}

/** Counts brackets instead of recursing: a body may nest as deep as it is long. */
export function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === QUOTE) return skipString(text, from)
  if (!isOpening(first)) return skipScalar(text, from)
  let depth = 0
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (isOpening(code)) depth += 1
    else if ((code | BRACKET_BIT) === CLOSING) depth -= 1
    if (depth === 0) return at + 1
    at = skipPlain(text, code === QUOTE ? skipString(text, at) : at + 1)
  }
  return at
}

/** The text before the next bracket or escape. At most 100 strings at a time: each costs a place to backtrack to. */
const PLAIN = /[^"{}[\]]*(?:"[^"\\]*"[^"{}[\]]*){0,100}/y

/** Native code reads most of a body. The match always ends outside of a string. */
function skipPlain(text: string, from: number): number {
  PLAIN.lastIndex = from
  PLAIN.test(text)
  return PLAIN.lastIndex
}

/** A number or literal runs on until a delimiter. */
function skipScalar(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === COMMA || code <= SPACE || (code | BRACKET_BIT) === CLOSING) return at
    at += 1
  }
  return at
}
