import { eachMember, isOpening, QUOTE, SPACE, skipSpace, skipValue } from './json-text.js'

/**
 * The names of the members whose value differs between two objects, including those that only one of them has; sorted.
 * White space, escapes and the order of members are spelling and no change. Clerk nearly always prints an unchanged
 * value as before, so equal text is tried first.
 */
export function changedMembers(before: string, after: string): string[] {
  return changedInStep(before, after) ?? changedInAnyOrder(before, after)
}

/** One walk over two objects with the same members in the same order, the usual case; null for others. */
function changedInStep(before: string, after: string): string[] | null {
  const changed = new Set<string>()
  let at = skipSpace(before, skipSpace(before, 0) + 1)
  let isInStep = true
  eachMember(after, (key, keyEnd, start, end) => {
    const name = after.slice(key + 1, keyEnd - 1)
    isInStep &&= before.startsWith(after.slice(key, start), at) && !name.includes('\\')
    if (!isInStep) return
    // `before` may have more white space behind the colon than `after`.
    const value = skipSpace(before, at + start - key)
    const isSame = before.startsWith(after.slice(start, end + 1), value)
    const valueEnd = isSame ? value + end - start : skipValue(before, value)
    // Of a duplicate member, the last one counts.
    if (isSame || isSameValue(before.slice(value, valueEnd), after.slice(start, end))) changed.delete(name)
    else changed.add(name)
    at = skipSpace(before, skipSpace(before, valueEnd) + 1)
  })
  return isInStep && before.charCodeAt(at) !== QUOTE ? [...changed].sort() : null
}

function changedInAnyOrder(before: string, after: string): string[] {
  const was = membersOf(before)
  const is = membersOf(after)
  const names = new Set([...was.keys(), ...is.keys()])
  return [...names].filter((name) => !isSameValue(was.get(name), is.get(name))).sort()
}

function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  eachMember(text, (at, keyEnd, start, end) => {
    members.set(decoded(text.slice(at, keyEnd)), text.slice(start, end))
  })
  return members
}

function isSameValue(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined || one === other) return one === other
  const isContainer = isOpening(one.charCodeAt(0))
  if (isContainer !== isOpening(other.charCodeAt(0))) return false
  return isContainer ? canonical(one) === canonical(other) : canonicalScalar(one) === canonicalScalar(other)
}

/** A list or object that is being read: its content so far, and in an object the name of the next value. */
type Open = { members: Map<string, string> | null; items: string; name: string | null }

const BRACE = 0x7b
const COMMA = 0x2c
const COLON = 0x3a
const CLOSING_BRACE = 0x7d
const CLOSING_BRACKET = 0x5d

/**
 * One spelling for all spellings of a value. Uses its own stack, because a body may nest as deep as it is long; texts
 * are joined by `+`, which copies nothing, or each level would copy its whole content.
 */
function canonical(text: string): string {
  const open: Open[] = []
  let result = ''
  const take = (value: string) => {
    const parent = open.at(-1)
    if (!parent) result = value
    else if (parent.members && parent.name !== null) parent.members.set(parent.name, value)
    else parent.items += `${value},`
    if (parent) parent.name = null
  }
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    const parent = open.at(-1)
    if (isOpening(code)) {
      open.push({ members: code === BRACE ? new Map() : null, items: '', name: null })
      at += 1
    } else if (parent && (code === CLOSING_BRACE || code === CLOSING_BRACKET)) {
      open.pop()
      take(closed(parent))
      at += 1
    } else if (code === COMMA || code === COLON || code <= SPACE) {
      at += 1
    } else {
      const end = skipValue(text, at)
      const scalar = text.slice(at, end)
      if (parent?.members && parent.name === null) parent.name = decoded(scalar)
      else take(canonicalScalar(scalar))
      at = end
    }
  }
  return result
}

function closed({ members, items }: Open): string {
  if (!members) return `[${items}]`
  let text = ''
  for (const name of [...members.keys()].sort()) text += `${textOf(name)}:${members.get(name)},`
  return `{${text}}`
}

const canonicalScalar = (text: string): string =>
  text.charCodeAt(0) === QUOTE ? textOf(decoded(text)) : canonicalNumber(text)

/** Prefixed with its length, so that no text can be mistaken for the end of itself. */
const textOf = (value: string) => `${value.length}"${value}`

/** The string between these quotes. */
const decoded = (quoted: string): string => (quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1))

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** Length of a number beyond which only its text counts: no number of Clerk's is as long. */
const NUMBER_LENGTH_MAX = 64

/** Exact, where JSON.parse would read two large integers as one. A literal is itself. */
function canonicalNumber(text: string): string {
  const [isNumber, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? []
  if (isNumber === undefined || text.length > NUMBER_LENGTH_MAX) return text
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length)}`
}
