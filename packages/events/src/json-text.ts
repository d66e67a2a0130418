/*
 * Work on JSON as text. The mirror keeps Clerk's own text: parsing and printing it again would round large integers,
 * drop duplicate keys and overflow the stack on deep nesting. All of it expects text that JSON.parse has accepted, so
 * it only has to find where values begin and end.
 */

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
/** Brackets and braces differ in one bit. */
const BRACKET_BIT = 0x20
const OPENING = 0x7b
const CLOSING = 0x7d
const SPACE = 0x20

/** The text of the member `key` of the object that `text` is; the last one counts, as in JSON.parse. */
export function memberText(text: string, key: string): string | null {
  let found: string | null = null
  eachMember(text, (at, keyEnd, start, end) => {
    if (isKey(text, at, keyEnd, key)) found = text.slice(start, end)
  })
  return found
}

/**
 * The names of the members whose text differs between two objects, those that only one of them has included; sorted.
 * Clerk prints a value that did not change as it printed it before.
 */
export function changedMembers(before: string, after: string): string[] {
  return changedInStep(before, after) ?? changedInAnyOrder(before, after)
}

/** One walk where both have the same members in the same order, as nearly always; null where they have not. */
function changedInStep(before: string, after: string): string[] | null {
  const changed = new Set<string>()
  let at = skipSpace(before, skipSpace(before, 0) + 1)
  let isInStep = true
  eachMember(after, (key, keyEnd, start, end) => {
    const name = after.slice(key + 1, keyEnd - 1)
    isInStep &&= before.startsWith(after.slice(key, start), at) && !name.includes('\\')
    if (!isInStep) return
    const value = at + start - key
    const isSame = before.startsWith(after.slice(start, end + 1), value)
    const valueEnd = isSame ? value + end - start : skipValue(before, value)
    // Of a member that is there twice, the last one counts.
    if (isSame || before.slice(value, valueEnd) === after.slice(start, end)) changed.delete(name)
    else changed.add(name)
    at = skipSpace(before, skipSpace(before, valueEnd) + 1)
  })
  return isInStep && before.charCodeAt(at) !== QUOTE ? [...changed].sort() : null
}

function changedInAnyOrder(before: string, after: string): string[] {
  const was = membersOf(before)
  const is = membersOf(after)
  const names = new Set([...was.keys(), ...is.keys()])
  return [...names].filter((name) => was.get(name) !== is.get(name)).sort()
}

function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  eachMember(text, (at, keyEnd, start, end) => {
    const quoted = text.slice(at, keyEnd)
    members.set(quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1), text.slice(start, end))
  })
  return members
}

type Visit = (key: number, keyEnd: number, start: number, end: number) => void

/** Tells of each member where its key stands, quotes included, and where its value. */
function eachMember(text: string, visit: Visit): void {
  let at = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = skipString(text, at)
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = skipValue(text, start)
    visit(at, keyEnd, start, end)
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
}

/** The text with the value of every member called `key`, at any depth, replaced by null. */
export function withNulled(text: string, key: string): string {
  if (!text.includes(key)) return text
  let result = ''
  let copied = 0
  let at = 0
  while (at < text.length) {
    if (text.charCodeAt(at) !== QUOTE) {
      at += 1
      continue
    }
    const stringEnd = skipString(text, at)
    const colon = skipSpace(text, stringEnd)
    if (text.charCodeAt(colon) === COLON && isKey(text, at, stringEnd, key)) {
      const start = skipSpace(text, colon + 1)
      result += `${text.slice(copied, start)}null`
      copied = skipValue(text, start)
      at = copied
    } else {
      at = stringEnd
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

/** Whether the string from one quote to behind the other says `key`, which may be written with escapes. */
function isKey(text: string, start: number, end: number, key: string): boolean {
  if (end - start === key.length + 2) return text.startsWith(key, start + 1)
  // An escape is longer than what it stands for.
  if (end - start < key.length + 2) return false
  const quoted = text.slice(start, end)
  return quoted.includes('\\') && JSON.parse(quoted) === key
}

// By codes and not by characters: this walks over every byte that the mirror stores. Each step goes forward, so that it
// ends on any text.

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= SPACE) at += 1
  return at
}

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
function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === QUOTE) return skipString(text, from)
  if ((first | BRACKET_BIT) !== OPENING) return skipScalar(text, from)
  let depth = 0
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if ((code | BRACKET_BIT) === OPENING) depth += 1
    else if ((code | BRACKET_BIT) === CLOSING) depth -= 1
    if (depth === 0) return at + 1
    at = skipPlain(text, code === QUOTE ? skipString(text, at) : at + 1)
  }
  return at
}

/** What stands before the next bracket or escape. Some strings at once: each takes a place to go back to. */
const PLAIN = /[^"{}[\]]*(?:"[^"\\]*"[^"{}[\]]*){0,100}/y

/** Native code reads the most of a body. It ends outside of a string, wherever that is. */
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
