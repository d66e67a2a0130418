/*
 * Work on JSON as text. The mirror keeps Clerk's own text: parsing and printing it again would round large integers,
 * drop duplicate keys and overflow the stack on deep nesting. All of it expects text that JSON.parse has accepted, so
 * it only has to find where values begin and end.
 */

/** The text of the member `key` of the object that `text` is; the last one counts, as in JSON.parse. */
export function memberText(text: string, key: string): string | null {
  let found: string | null = null
  eachMember(text, (quoted, start, end) => {
    if (isKey(quoted, key)) found = text.slice(start, end)
  })
  return found
}

/**
 * The names of the members whose text differs between two objects, those that only one of them has included; sorted.
 * Clerk prints a value that did not change as it printed it before.
 */
export function changedMembers(before: string, after: string): string[] {
  const was = membersOf(before)
  const is = membersOf(after)
  const names = new Set([...was.keys(), ...is.keys()])
  return [...names].filter((name) => was.get(name) !== is.get(name)).sort()
}

function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  eachMember(text, (quoted, start, end) => {
    members.set(quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1), text.slice(start, end))
  })
  return members
}

function eachMember(text: string, visit: (quotedKey: string, start: number, end: number) => void): void {
  let at = skipSpace(text, skipSpace(text, 0) + 1)
  while (text[at] === '"') {
    const keyEnd = skipString(text, at)
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = skipValue(text, start)
    visit(text.slice(at, keyEnd), start, end)
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
    if (text[at] !== '"') {
      at += 1
      continue
    }
    const stringEnd = skipString(text, at)
    const colon = skipSpace(text, stringEnd)
    if (text[colon] === ':' && isKey(text.slice(at, stringEnd), key)) {
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

const isKey = (quoted: string, key: string) =>
  quoted.includes('\\') ? JSON.parse(quoted) === key : quoted.length === key.length + 2 && quoted.slice(1, -1) === key

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}

function skipString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end + 1
}

function isEscaped(text: string, quote: number): boolean {
  let slash = quote - 1
  while (text[slash] === '\\') slash -= 1
  return (quote - slash) % 2 === 0
}

/** Counts brackets instead of recursing: a body may nest as deep as it is long. */
function skipValue(text: string, from: number): number {
  let depth = 0
  let at = from
  do {
    const char = text[at]
    if (char === '"') at = skipString(text, at)
    else {
      if (char === '{' || char === '[') depth += 1
      else if (char === '}' || char === ']') depth -= 1
      at += 1
    }
  } while (depth > 0 || (at < text.length && isScalarPart(text, from, at)))
  return at
}

/** A number or literal runs on until a delimiter; a string or a bracketed value has ended where it ended. */
const isScalarPart = (text: string, from: number, at: number) =>
  !'"{['.includes(text[from] ?? '') && !',]} \n\r\t'.includes(text[at] ?? ',')
