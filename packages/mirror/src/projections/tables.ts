import type { ObjectOf, TypedKind } from '@clerk-mirror/events'
import { timeValue } from '../database/sql.js'
import { type Column, cut, wholeUrl } from './columns.js'

/** A typed table: the columns that hold parts of a Clerk object, besides `clerk_id` and `synced_at`. */
export type Projection<T> = {
  table: string
  columns: Readonly<Record<string, Column<T>>>
  /** The application's own tables whose rows refer to a row's numeric id and are deleted with it. */
  dependents?: readonly { table: string; column: string }[]
}

const NAME = 120
const LABEL = 250
const ROLE = 250
const EMAIL = 320
const URL = 500

/** The names that are present; null when there is none. */
const displayName = ({ firstName, lastName }: ObjectOf<'user'>): string | null =>
  [firstName, lastName].filter((name) => name !== null).join(' ') || null

/** `tagline` is the application's own: it is not listed here and so never written. */
const users: Projection<ObjectOf<'user'>> = {
  table: 'users',
  columns: {
    username: (user) => cut(user.username, NAME),
    first_name: (user) => cut(user.firstName, NAME),
    last_name: (user) => cut(user.lastName, NAME),
    display_name: (user) => cut(displayName(user), LABEL),
    email: (user) => cut(user.email, EMAIL),
    img_url: (user) => wholeUrl(user.imageUrl, URL),
    external_id: (user) => cut(user.externalId, LABEL),
    banned: (user) => user.banned,
    locked: (user) => user.locked,
    two_factor_enabled: (user) => user.twoFactorEnabled,
    public_metadata: (user) => user.publicMetadata,
    last_sign_in_at: (user) => timeValue(user.lastSignInAtMs),
    created_at: (user) => timeValue(user.createdAtMs),
    updated_at: (user) => timeValue(user.updatedAtMs),
  },
  dependents: [{ table: 'blocks', column: 'user_id' }],
}

const organizations: Projection<ObjectOf<'organization'>> = {
  table: 'organizations',
  columns: {
    name: (organization) => cut(organization.name, LABEL),
    slug: (organization) => cut(organization.slug, LABEL),
    img_url: (organization) => wholeUrl(organization.imageUrl, URL),
    max_allowed_memberships: (organization) => organization.maxAllowedMemberships,
    public_metadata: (organization) => organization.publicMetadata,
    created_at: (organization) => timeValue(organization.createdAtMs),
    updated_at: (organization) => timeValue(organization.updatedAtMs),
  },
}

const memberships: Projection<ObjectOf<'organizationMembership'>> = {
  table: 'organization_memberships',
  columns: {
    user_clerk_id: (membership) => membership.userId,
    organization_clerk_id: (membership) => membership.organizationId,
    role: (membership) => cut(membership.role, ROLE),
    public_metadata: (membership) => membership.publicMetadata,
    created_at: (membership) => timeValue(membership.createdAtMs),
    updated_at: (membership) => timeValue(membership.updatedAtMs),
  },
}

const invitations: Projection<ObjectOf<'organizationInvitation'>> = {
  table: 'organization_invitations',
  columns: {
    user_clerk_id: (invitation) => invitation.userId,
    organization_clerk_id: (invitation) => invitation.organizationId,
    email: (invitation) => cut(invitation.email, EMAIL),
    role: (invitation) => cut(invitation.role, ROLE),
    status: (invitation) => cut(invitation.status, LABEL),
    expires_at: (invitation) => timeValue(invitation.expiresAtMs),
    created_at: (invitation) => timeValue(invitation.createdAtMs),
    updated_at: (invitation) => timeValue(invitation.updatedAtMs),
  },
}

const domains: Projection<ObjectOf<'organizationDomain'>> = {
  table: 'organization_domains',
  columns: {
    organization_clerk_id: (domain) => domain.organizationId,
    name: (domain) => cut(domain.name, LABEL),
    enrollment_mode: (domain) => cut(domain.enrollmentMode, LABEL),
    verified: (domain) => domain.verified,
    created_at: (domain) => timeValue(domain.createdAtMs),
    updated_at: (domain) => timeValue(domain.updatedAtMs),
  },
}

/** The typed tables, in the order in which every transaction writes them. */
export const PROJECTIONS: { readonly [K in TypedKind]: Projection<ObjectOf<K>> } = {
  user: users,
  organization: organizations,
  organizationMembership: memberships,
  organizationInvitation: invitations,
  organizationDomain: domains,
}
