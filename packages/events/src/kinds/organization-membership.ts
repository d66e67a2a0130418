import { asObject, id, objectText, text, time } from '../fields.js'
import type { Kind, Owners } from './kind.js'

/**
 * Names its user and organization, and carries copies of both that are stale from the start: only their ids are read.
 * Source: Clerk's webhook specification 2025-04-15, schema `OrganizationMembership`.
 */
export type ClerkMembership = Owners & {
  role: string | null
  publicMetadata: string | null
  createdAtMs: number | null
  updatedAtMs: number | null
}

const owners: Kind['owners'] = (data) => ({
  userId: id(asObject(data['public_user_data'])?.['user_id']),
  organizationId: id(asObject(data['organization'])?.['id']),
})

export const organizationMembership: Kind<ClerkMembership> = {
  owners,
  whenUserIsDeleted: 'tombstone',
  omit: [],
  read: (data, source) => ({
    ...owners(data),
    role: text(data['role']),
    publicMetadata: objectText(data, source, 'public_metadata'),
    createdAtMs: time(data['created_at']),
    updatedAtMs: time(data['updated_at']),
  }),
}
