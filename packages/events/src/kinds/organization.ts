import { id, objectText, text, time, wholeNumber } from '../fields.js'
import type { Kind } from './kind.js'

/** Source: Clerk's webhook specification 2025-04-15, schema `Organization`. */
export type ClerkOrganization = {
  name: string | null
  slug: string | null
  imageUrl: string | null
  maxAllowedMemberships: number | null
  publicMetadata: string | null
  createdAtMs: number | null
  updatedAtMs: number | null
}

export const organization: Kind<ClerkOrganization> = {
  owners: (data) => ({ userId: id(data['created_by']), organizationId: null }),
  whenUserIsDeleted: 'clear-reference',
  references: ['created_by'],
  omit: [],
  read: (data, source) => ({
    name: text(data['name']),
    slug: text(data['slug']),
    imageUrl: text(data['image_url']),
    maxAllowedMemberships: wholeNumber(data['max_allowed_memberships']),
    publicMetadata: objectText(data, source, 'public_metadata'),
    createdAtMs: time(data['created_at']),
    updatedAtMs: time(data['updated_at']),
  }),
}
