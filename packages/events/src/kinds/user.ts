import { asObject, flag, type JsonObject, list, objectText, text, time } from '../fields.js'
import type { Kind } from './kind.js'

/** The mirrored part of a Clerk User. Source: Clerk's webhook specification 2025-04-15, schema `User`. */
export type ClerkUser = {
  username: string | null
  firstName: string | null
  lastName: string | null
  email: string | null
  imageUrl: string | null
  externalId: string | null
  banned: boolean
  locked: boolean
  twoFactorEnabled: boolean
  createdAtMs: number | null
  updatedAtMs: number | null
  lastSignInAtMs: number | null
  /** Clerk's own JSON text. */
  publicMetadata: string | null
}

export const user: Kind<ClerkUser> = {
  owners: () => ({ userId: null, organizationId: null }),
  whenUserIsDeleted: 'tombstone',
  omit: ['backup_codes'],
  read: (data, dataText) => ({
    username: text(data['username']),
    firstName: text(data['first_name']),
    lastName: text(data['last_name']),
    email: primaryEmail(data),
    imageUrl: text(data['image_url']) ?? text(data['profile_image_url']),
    externalId: text(data['external_id']),
    banned: flag(data['banned']),
    locked: flag(data['locked']),
    twoFactorEnabled: flag(data['two_factor_enabled']),
    publicMetadata: objectText(data, dataText, 'public_metadata'),
    lastSignInAtMs: time(data['last_sign_in_at']),
    createdAtMs: time(data['created_at']),
    updatedAtMs: time(data['updated_at']),
  }),
}

/** The order of addresses means nothing, and the primary id may match none of them: then there is no address. */
function primaryEmail(data: JsonObject): string | null {
  const primaryId = text(data['primary_email_address_id'])
  if (primaryId === null) return null
  const primary = list(data['email_addresses']).find((address) => asObject(address)?.['id'] === primaryId)
  return text(asObject(primary)?.['email_address'])
}
