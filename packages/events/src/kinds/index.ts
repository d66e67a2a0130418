import { asObject, id, type JsonObject } from '../fields.js'
import type { Kind, Subjects } from './kind.js'
import { type ClerkUser, readUser, user } from './user.js'

const nobody: Subjects = { userId: null, organizationId: null }
const ofUser = (data: JsonObject): Subjects => ({ userId: id(data['user_id']), organizationId: null })
const ofOrganization = (data: JsonObject): Subjects => ({
  userId: id(data['user_id']),
  organizationId: id(data['organization_id']),
})
const ofPayer = (data: JsonObject): Subjects => ofOrganization(asObject(data['payer']) ?? {})
const goesWithItsUser = { whenUserIsDeleted: 'tombstone', omit: [] } as const

/**
 * The kinds that the mirror knows; a kind is an event's type before its last dot. What is not listed here is mirrored
 * too, as a head that is about nobody.
 */
export const KINDS = {
  user,
  organization: {
    subjects: (data) => ({ userId: id(data['created_by']), organizationId: null }),
    whenUserIsDeleted: 'clear-reference',
    omit: [],
  },
  organizationMembership: {
    subjects: (data) => ({
      userId: id(asObject(data['public_user_data'])?.['user_id']),
      organizationId: id(asObject(data['organization'])?.['id']),
    }),
    ...goesWithItsUser,
  },
  organizationInvitation: {
    // Whom it was sent to. The inviter's name and address are a copy that would outlive the inviter.
    subjects: ofOrganization,
    whenUserIsDeleted: 'tombstone',
    omit: ['public_inviter_data'],
  },
  organizationDomain: { subjects: ofOrganization, ...goesWithItsUser },
  session: { subjects: ofUser, whenUserIsDeleted: 'tombstone', omit: ['backup_codes'] },
  role: { subjects: () => nobody, ...goesWithItsUser },
  permission: { subjects: () => nobody, ...goesWithItsUser },
  waitlistEntry: { subjects: () => nobody, ...goesWithItsUser },
  subscription: { subjects: ofPayer, ...goesWithItsUser },
  subscriptionItem: { subjects: ofPayer, ...goesWithItsUser },
  paymentAttempt: { subjects: ofPayer, ...goesWithItsUser },
} as const satisfies Record<string, Kind>

export type KnownKind = keyof typeof KINDS

const UNKNOWN_KIND: Kind = { subjects: ofOrganization, ...goesWithItsUser }

export const isKnownKind = (kind: string): kind is KnownKind => Object.hasOwn(KINDS, kind)
export const kindNamed = (kind: string): Kind => (isKnownKind(kind) ? KINDS[kind] : UNKNOWN_KIND)

/** The kinds of which the mirror reads more than the head needs; each has a typed table. */
export type ClerkObject = ClerkUser

export function readObject(kind: string, data: JsonObject, dataText: string): ClerkObject | null {
  return kind === 'user' ? readUser(data, dataText) : null
}

/** Kinds that belong to many: when their user is deleted they stay and only forget the user. */
export const KINDS_THAT_OUTLIVE_THEIR_USER: readonly string[] = Object.entries(KINDS).flatMap(([name, kind]) =>
  kind.whenUserIsDeleted === 'clear-reference' ? [name] : [],
)
