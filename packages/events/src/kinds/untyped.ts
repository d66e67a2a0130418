import { asObject, id, type JsonObject } from '../fields.js'
import type { Kind, Owners } from './kind.js'

/* Kinds with an object row and no typed table: only their owners matter. */
const untyped = (owners: Kind['owners'], omit: readonly string[] = []): Kind<null> => ({
  owners,
  whenUserIsDeleted: 'tombstone',
  omit,
  read: () => null,
})

const ownersBeside = (data: JsonObject): Owners => ({
  userId: id(data['user_id']),
  organizationId: id(data['organization_id']),
})

const noOwners = () => ({ userId: null, organizationId: null })

/** Sessions and unknown kinds: their owners stand beside their id, if anywhere. */
export const session = untyped(ownersBeside, ['backup_codes'])
export const unknownKind = untyped(ownersBeside)

/** They belong to the application as a whole. */
export const role = untyped(noOwners)
export const permission = untyped(noOwners)
/** A person without a user yet; the address belongs to no user id. */
export const waitlistEntry: Kind<null> = { ...untyped(noOwners), addresses: ['email_address', 'phone_number'] }

/** Payments: the payer is a user, or an organization (then Clerk writes "" for the other). */
export const billing = untyped((data) => ownersBeside(asObject(data['payer']) ?? {}))
