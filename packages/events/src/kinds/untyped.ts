import { asObject, id, type JsonObject } from '../fields.js'
import type { Kind, Subjects } from './kind.js'

/*
 * Kinds that have a head and no typed table: what matters of them is whom they are about.
 */
const headOnly = (subjects: Kind['subjects'], omit: readonly string[] = []): Kind<null> => ({
  subjects,
  whenUserIsDeleted: 'tombstone',
  omit,
  read: () => null,
})

const named = (data: JsonObject): Subjects => ({
  userId: id(data['user_id']),
  organizationId: id(data['organization_id']),
})

const nobody = () => ({ userId: null, organizationId: null })

/** Sessions, and kinds that we do not know: whom they are about stands beside their id, if anywhere. */
export const session = headOnly(named, ['backup_codes'])
export const unknownKind = headOnly(named)

/** They belong to the application as a whole. */
export const role = headOnly(nobody)
export const permission = headOnly(nobody)
/** Somebody who has no user yet; an address that is tied to no user id. */
export const waitlistEntry: Kind<null> = { ...headOnly(nobody), addresses: ['email_address', 'phone_number'] }

/** What somebody pays: the payer is a user, or an organization (then Clerk writes "" for the other). */
export const billing = headOnly((data) => named(asObject(data['payer']) ?? {}))
