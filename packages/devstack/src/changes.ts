import { CULTURES, TEAMS } from './names.js'
import { newAccount, newAddress, newImageUrl, newUsername, type Person } from './people.js'
import type { Random } from './random.js'

/** Most updates of real users are sign-ins: `last_sign_in_at` moves, and no visible member changes. */
const SIGN_INS_IN_TEN = 3

/** The change of a person between two events, in place; the caller moves the clock. */
export function changePerson(person: Person, random: Random, atMs: number): void {
  if (random.integer(1, 10) <= SIGN_INS_IN_TEN) person.lastSignInAtMs = atMs
  else random.pick(CHANGES)(person, random)
}

type Change = (person: Person, random: Random) => void

const CHANGES: readonly [Change, ...Change[]] = [
  (person, random) => {
    person.lastName = random.pick(random.pick(CULTURES).family)
  },
  (person, random) => {
    person.firstName = random.chance(0.15) ? null : random.pick(random.pick(CULTURES).given)
  },
  (person, random) => {
    person.username = random.chance(0.15) ? null : newUsername(random, person.handle)
  },
  // The new address becomes the primary one without becoming the first: the list's order means nothing.
  (person, random) => {
    const added = newAddress(random, person.handle)
    person.emails.push(added)
    person.primaryEmailId = added.id
  },
  (person) => {
    person.emails = person.emails.filter(({ id }) => id === person.primaryEmailId)
  },
  (person, random) => {
    person.imageUrl = newImageUrl(random)
  },
  (person, random) => {
    person.publicMetadata = {
      plan: random.pick(['free', 'pro', 'team']),
      seats: random.integer(1, 50),
      teams: [random.pick(TEAMS), random.pick(TEAMS)],
      flags: { beta: random.chance(0.5), greeting: '¡olé! “quoted” \\ 🎉', since: null },
    }
  },
  (person, random) => {
    person.unsafeMetadata = { theme: random.pick(['light', 'dark']), onboarding: { step: random.integer(1, 6) } }
  },
  (person, random) => {
    person.account = person.account === null ? newAccount(random) : null
  },
  (person) => {
    person.twoFactor = !person.twoFactor
  },
  (person) => {
    person.banned = !person.banned
  },
  (person) => {
    person.locked = !person.locked
  },
]
