import type { JsonObject } from '../fields.js'
import type { Kind } from './kind.js'
import { organization } from './organization.js'
import { organizationDomain } from './organization-domain.js'
import { organizationInvitation } from './organization-invitation.js'
import { organizationMembership } from './organization-membership.js'
import { billing, permission, role, session, unknownKind, waitlistEntry } from './untyped.js'
import { user } from './user.js'

/** The known kinds; a kind is an event's type before its last dot. Unknown kinds are mirrored too, as object rows. */
export const KINDS = {
  user,
  organization,
  organizationMembership,
  organizationInvitation,
  organizationDomain,
  session,
  role,
  permission,
  waitlistEntry,
  subscription: billing,
  subscriptionItem: billing,
  paymentAttempt: billing,
} as const satisfies Record<string, Kind>

export type KnownKind = keyof typeof KINDS
export const KNOWN_KINDS: readonly string[] = Object.keys(KINDS)

/** The result of a kind's `read`: an object in our terms. */
export type ObjectOf<K extends KnownKind> = ReturnType<(typeof KINDS)[K]['read']>

/** The kinds with a typed table. */
export type TypedKind = { [K in KnownKind]: ObjectOf<K> extends null ? never : K }[KnownKind]

/** An object of a typed kind, with the kind beside it. */
export type ClerkObject = { [K in TypedKind]: { kind: K; object: ObjectOf<K> } }[TypedKind]

export const isKnownKind = (kind: string): kind is KnownKind => Object.hasOwn(KINDS, kind)
export const kindNamed = (kind: string): Kind => (isKnownKind(kind) ? KINDS[kind] : unknownKind)

/** Null for a kind that has no typed table. */
export function readObject(kind: string, data: JsonObject, text: string): ClerkObject | null {
  const object = kindNamed(kind).read(data, text)
  // The registry pairs each kind with its object; the compiler loses the pair when the kind is a variable.
  return object === null ? null : ({ kind, object } as ClerkObject)
}

/** Shared kinds: when their user is deleted they stay and only lose their reference to the user. */
export const KINDS_THAT_OUTLIVE_THEIR_USER: readonly string[] = Object.entries(KINDS).flatMap(([name, kind]) =>
  kind.whenUserIsDeleted === 'clear-reference' ? [name] : [],
)
