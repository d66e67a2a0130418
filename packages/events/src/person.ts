import { asObject, type JsonObject, list } from './fields.js'
import { isKnownKind, KINDS_THAT_OUTLIVE_THEIR_USER, kindNamed } from './kinds/index.js'
import { parseJson } from './peek.js'

/*
 * An erasure recognises a person in Clerk's objects by the user id, and by e-mail addresses and telephone numbers,
 * which stand in invitations and waitlist entries before any user id does.
 */

export type Addresses = {
  /** In lower case. Clerk verified them, or took them from an administrator: they belong to this person alone. */
  own: ReadonlySet<string>
  /** In lower case. Not verified: the address may be another person's. */
  unverified: ReadonlySet<string>
}

export type Person = { userId: string; addresses: Addresses }

/**
 * `theirs`: the object belongs to the person. `mention`: the object belongs to another person, or holds the id or an
 * address in a place that says nothing about its owner; `members` are the top-level members with a mention.
 */
export type Tie = { kind: 'theirs' } | { kind: 'mention'; members: readonly string[] }

/** The members of a user that list addresses. Metadata is left out: it may hold the addresses of other people. */
const ADDRESS_LISTS = ['email_addresses', 'phone_numbers', 'external_accounts', 'enterprise_accounts', 'saml_accounts']

/** Reads the addresses from one or more texts of the user's object; a text that is no object has none. */
export function addressesOf(userTexts: readonly string[]): Addresses {
  const own = new Set<string>()
  const unverified = new Set<string>()
  for (const user of userTexts.map((text) => asObject(parseJson(text)))) {
    for (const entry of ADDRESS_LISTS.flatMap((name) => list(user?.[name])).map(asObject)) {
      const status = asObject(entry?.['verification'])?.['status'] ?? 'verified'
      for (const address of [entry?.['email_address'], entry?.['phone_number']]) {
        if (typeof address !== 'string' || address === '') continue
        ;(status === 'verified' ? own : unverified).add(address.toLowerCase())
      }
    }
  }
  for (const address of own) unverified.delete(address)
  return { own, unverified }
}

export type PersonsObject = {
  kind: string
  id: string | null
  data: JsonObject
  /** The user that an earlier version named. */
  userId?: string | null
}

/** An empty object for text that is no JSON object. */
export const asJsonObject = (text: string): JsonObject => asObject(parseJson(text)) ?? {}

/** An empty object where the text is no JSON object, or its member is none. */
export const asJsonMember = (text: string, name: string): JsonObject => asObject(asJsonObject(text)[name]) ?? {}

/** Null where the object contains neither the id nor an address of the person. */
export function tieTo(person: Person, { kind, id, data, userId: earlier = null }: PersonsObject): Tie | null {
  const { owners, addresses = [], references = [] } = kindNamed(kind)
  const { userId: named, organizationId } = owners(data)
  const userId = named ?? earlier
  const isShared = KINDS_THAT_OUTLIVE_THEIR_USER.includes(kind)
  if (id === person.userId || (userId === person.userId && !isShared)) return { kind: 'theirs' }
  const isOwn = (value: unknown) => typeof value === 'string' && person.addresses.own.has(value.toLowerCase())
  const isOthers = kind === 'user' || userId !== null || isShared
  if (!isOthers && addresses.some((name) => isOwn(data[name]))) return { kind: 'theirs' }
  const members: string[] = []
  for (const [name, value] of Object.entries(data)) {
    const texts = textsIn(value)
    if (!isOthers && !isKnownKind(kind)) {
      // An unknown kind that names no other user. An object of an organization is not a person's for having been made
      // by them.
      if (texts.some(isOwn) || (value === person.userId && organizationId === null)) return { kind: 'theirs' }
    }
    if (references.includes(name) && value === person.userId) continue
    if ([name, ...texts].some((text) => mentions(person, text))) members.push(name)
  }
  return members.length > 0 ? { kind: 'mention', members } : null
}

/** Whether the text names the person, by the id or an address as a word of its own: user_1 is not named by user_12. */
export function mentions({ userId, addresses }: Person, text: string): boolean {
  if (isWordOf(text, userId)) return true
  const lower = text.toLowerCase()
  return [...addresses.own, ...addresses.unverified].some((address) => isWordOf(lower, address, OF_ADDRESSES))
}

/** Characters that continue an id, or an address on either side: x.ada@example.com is not ada@example.com. */
const OF_IDS = { before: /\w$/, after: /^\w/ }
const OF_ADDRESSES = { before: /[\w.+%-]$/, after: /^(?:[\w-]|\.\w)/ }

export function isWordOf(text: string, word: string, { before, after }: typeof OF_IDS = OF_IDS): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const end = at + word.length
    if (!before.test(text.slice(Math.max(0, at - 1), at)) && !after.test(text.slice(end, end + 2))) return true
  }
  return false
}

/** Longest runs of characters that every JSON writer prints unescaped. */
const PLAIN_RUNS = /[\w.@+-]+/g

/**
 * Lower-case fragments; every JSON text that names the person holds at least one of them, in any case: for a search
 * that cannot parse.
 */
export function searchTextsOf({ userId, addresses }: Person): string[] {
  const longest = (address: string) =>
    (address.match(PLAIN_RUNS) ?? []).reduce((best, run) => (run.length > best.length ? run : best), '')
  const fragments = [...addresses.own, ...addresses.unverified].map(longest)
  return [...new Set([userId.toLowerCase(), ...fragments])].filter((fragment) => fragment !== '')
}

/**
 * Every string below a value, names of members included. Uses a stack instead of recursion: JSON nests as deep as it is
 * long.
 */
function textsIn(value: unknown): string[] {
  const texts: string[] = []
  const open = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string') texts.push(next)
    else if (Array.isArray(next)) for (const each of next) open.push(each)
    else if (typeof next === 'object' && next !== null) {
      for (const [name, each] of Object.entries(next)) open.push(name, each)
    }
  }
  return texts
}
