import { asObject, id, text, time } from '../fields.js'
import type { Kind } from './kind.js'

/** Source: Clerk's webhook specification 2025-04-15, schema `OrganizationDomain`. */
export type ClerkDomain = {
  organizationId: string | null
  name: string | null
  enrollmentMode: string | null
  verified: boolean
  createdAtMs: number | null
  updatedAtMs: number | null
}

export const organizationDomain: Kind<ClerkDomain> = {
  owners: (data) => ({ userId: null, organizationId: id(data['organization_id']) }),
  whenUserIsDeleted: 'tombstone',
  omit: [],
  read: (data) => ({
    organizationId: id(data['organization_id']),
    name: text(data['name']),
    enrollmentMode: text(data['enrollment_mode']),
    // `verification` is the older name of `affiliation_verification`.
    verified: asObject(data['affiliation_verification'] ?? data['verification'])?.['status'] === 'verified',
    createdAtMs: time(data['created_at']),
    updatedAtMs: time(data['updated_at']),
  }),
}
