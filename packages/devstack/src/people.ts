import { CULTURES, MAIL_HOSTS } from './names.js'
import type { Random } from './random.js'

/** A person as Clerk stores one; times in milliseconds since 1970. */
export interface Person {
  id: string
  firstName: string | null
  lastName: string | null
  /** The person's name in addresses and user names. */
  handle: string
  username: string | null
  emails: Address[]
  primaryEmailId: string | null
  phone: { id: string; number: string } | null
  account: { id: string; provider: 'oauth_google' | 'oauth_github' } | null
  imageUrl: string
  externalId: string | null
  publicMetadata: Metadata
  unsafeMetadata: Metadata
  banned: boolean
  locked: boolean
  twoFactor: boolean
  lastSignInAtMs: number | null
  createdAtMs: number
  updatedAtMs: number
}

export interface Address {
  id: string
  address: string
}

export type Metadata = { [key: string]: string | number | boolean | null | string[] | Metadata }

// Shares as a consumer application shows them; they only keep the table from looking uniform.
const SHARE_WITH_USERNAME = 0.7
const SHARE_WITH_ACCOUNT = 0.35
const SHARE_WITH_EXTERNAL_ID = 0.2
/** Every third person is a rare kind, the kinds in turn, so that a few dozen people already show all of them. */
const RARE_EVERY = 3

export function newPerson(random: Random, index: number, createdAtMs: number): Person {
  const culture = random.pick(CULTURES)
  const handle = random.pick(culture.handles)
  const email = newAddress(random, handle)
  const person: Person = {
    id: `user_${random.base62(27)}`,
    firstName: random.pick(culture.given),
    lastName: random.pick(culture.family),
    handle,
    username: random.chance(SHARE_WITH_USERNAME) ? newUsername(random, handle) : null,
    emails: [email],
    primaryEmailId: email.id,
    phone: null,
    account: random.chance(SHARE_WITH_ACCOUNT) ? newAccount(random) : null,
    imageUrl: newImageUrl(random),
    externalId: random.chance(SHARE_WITH_EXTERNAL_ID) ? `crm-${random.integer(10_000, 99_999)}` : null,
    publicMetadata: {},
    unsafeMetadata: {},
    banned: false,
    locked: false,
    twoFactor: false,
    lastSignInAtMs: createdAtMs,
    createdAtMs,
    updatedAtMs: createdAtMs + random.integer(18, 78),
  }
  const rarity = RARITIES[Math.floor(index / RARE_EVERY) % RARITIES.length]
  if (index % RARE_EVERY === 0) rarity?.(person, random)
  return person
}

/** Values that a mirror has to survive and that a table of ordinary people would never show. */
const RARITIES: readonly ((person: Person, random: Random) => void)[] = [
  (person) => Object.assign(person, { firstName: `${person.firstName} 🦊`, lastName: '👩🏽‍🚀 Núñez 🌮' }),
  (person) => Object.assign(person, { lastName: null }),
  (person) => Object.assign(person, { firstName: null, lastName: null }),
  (person, random) => Object.assign(person, { emails: [], primaryEmailId: null, phone: newPhone(random) }),
  (person, random) => Object.assign(person, { primaryEmailId: `idn_${random.base62(27)}` }),
  (person) => Object.assign(person, { firstName: null, username: null }),
  (person) => Object.assign(person, { primaryEmailId: null }),
  // Half an emoji: legal JSON text that no UTF-8 column can hold.
  (person) =>
    Object.assign(person, { firstName: `${person.firstName}\ud83d`, publicMetadata: { motto: 'half \udc4b' } }),
  (person) => Object.assign(person, { firstName: 'Wolfeschlegelsteinhausen '.repeat(6) + '𝔅'.repeat(20) }),
  (person) => Object.assign(person, { imageUrl: `${person.imageUrl}?signed=${'a1B2'.repeat(130)}` }),
  (person, random) => person.emails.unshift(newAddress(random, person.handle)),
  (person, random) => Object.assign(person, { phone: newPhone(random), twoFactor: true }),
]

export function newAddress(random: Random, handle: string): Address {
  const address = `${handle}.${random.integer(1, 99_999)}@${random.pick(MAIL_HOSTS)}`
  return { id: `idn_${random.base62(27)}`, address }
}

export function newUsername(random: Random, handle: string): string {
  return `${handle}${random.pick(['', '_', '-'])}${random.integer(2, 9999)}`
}

export function newImageUrl(random: Random): string {
  return `https://img.clerk.com/${random.base62(60)}`
}

export function newAccount(random: Random): NonNullable<Person['account']> {
  return { id: `eac_${random.base62(27)}`, provider: random.pick(['oauth_google', 'oauth_github']) }
}

function newPhone(random: Random): NonNullable<Person['phone']> {
  return { id: `idn_${random.base62(27)}`, number: `+1555${random.integer(1_000_000, 9_999_999)}` }
}
