import { id, text, time } from '../fields.js'
import type { Kind, Owners } from './kind.js'

/** Source: Clerk's webhook specification 2025-04-15, schema `OrganizationInvitation`. */
export type ClerkInvitation = Owners & {
  email: string | null
  role: string | null
  status: string | null
  expiresAtMs: number | null
  createdAtMs: number | null
  updatedAtMs: number | null
}

/** The invited user, once they have accepted. */
const owners: Kind['owners'] = (data) => ({
  userId: id(data['user_id']),
  organizationId: id(data['organization_id']),
})

export const organizationInvitation: Kind<ClerkInvitation> = {
  owners,
  whenUserIsDeleted: 'tombstone',
  addresses: ['email_address'],
  references: ['inviter_id'],
  // The inviter's name and address: a copy that would outlive the inviter.
  omit: ['public_inviter_data'],
  read: (data) => ({
    ...owners(data),
    email: text(data['email_address']),
    role: text(data['role']),
    status: text(data['status']),
    expiresAtMs: time(data['expires_at']),
    createdAtMs: time(data['created_at']),
    updatedAtMs: time(data['updated_at']),
  }),
}
