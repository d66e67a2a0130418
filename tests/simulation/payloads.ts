import { markerOf } from './history.js'

/** Clerk's objects as it sends them: the fields that matter, each value marked with its object's id. */

type Times = { createdAtMs: number; updatedAtMs: number }
export type SimUser = Times & {
  kind: 'user'
  id: string
  username: string | null
  /** Also without a marker: a handle or address that moves from one user to another carries no mark. */
  email: string | null
  firstName: string | null
  revision: number
}
export type SimOrganization = Times & {
  kind: 'organization'
  id: string
  name: string
  slug: string
  createdBy: string | null
  revision: number
}
export type SimMembership = Times & {
  kind: 'organizationMembership'
  id: string
  user: SimUser
  organization: SimOrganization
  role: string
}
export type SimInvitation = Times & {
  kind: 'organizationInvitation'
  id: string
  inviter: SimUser
  /** The user that will accept it; the payload has it only after the acceptance. */
  invitee: SimUser | null
  organization: SimOrganization
  status: 'pending' | 'accepted' | 'revoked'
}
export type SimDomain = Times & {
  kind: 'organizationDomain'
  id: string
  organization: SimOrganization
  verified: boolean
}
export type SimSession = Times & { kind: 'session'; id: string; user: SimUser; status: string }
export type SimSubscription = Times & {
  kind: 'subscription'
  id: string
  payer: SimUser | SimOrganization
  status: string
}
export type SimObject =
  | SimUser
  | SimOrganization
  | SimMembership
  | SimInvitation
  | SimDomain
  | SimSession
  | SimSubscription

const times = ({ createdAtMs, updatedAtMs }: Times) => ({ created_at: createdAtMs, updated_at: updatedAtMs })
const metadata = (id: string, extra: object = {}) => ({ public_metadata: { about: markerOf(id), ...extra } })
const imageOf = (id: string) => `https://img.example/${markerOf(id)}.png`

function userData(user: SimUser): object {
  const marked = { id: `idn_1${user.id}`, email_address: `${markerOf(user.id)}@example.org` }
  const primary = user.email === null ? null : { id: `idn_2${user.id}`, email_address: user.email }
  return {
    object: 'user',
    id: user.id,
    username: user.username,
    first_name: user.firstName,
    last_name: `${markerOf(user.id)} ${user.revision}`,
    email_addresses: primary ? [marked, primary] : [marked],
    primary_email_address_id: primary ? primary.id : user.revision % 2 === 0 ? marked.id : null,
    image_url: imageOf(user.id),
    external_id: markerOf(user.id),
    ...metadata(user.id, { big: 12, revision: user.revision }),
    private_metadata: { secret: markerOf(user.id) },
    unsafe_metadata: { own: markerOf(user.id) },
    banned: user.revision % 3 === 0,
    locked: false,
    two_factor_enabled: user.revision % 2 === 1,
    last_sign_in_at: user.revision % 2 === 0 ? user.updatedAtMs : null,
    ...times(user),
  }
}

const organizationData = (organization: SimOrganization) => ({
  object: 'organization',
  id: organization.id,
  name: organization.name,
  slug: organization.slug,
  image_url: imageOf(organization.id),
  max_allowed_memberships: organization.revision,
  created_by: organization.createdBy,
  ...metadata(organization.id),
  ...times(organization),
})

/**
 * Copies of people and organizations inside other objects are stale and newer at once: nothing may be read from them.
 */
const strangeCopy = { name: 'a copy', slug: 'a-copy', username: 'a copy', first_name: 'a copy', updated_at: 4e12 }

const publicUserData = (user: SimUser) => ({
  user_id: user.id,
  first_name: user.firstName,
  last_name: markerOf(user.id),
  identifier: `${markerOf(user.id)}@example.org`,
  image_url: imageOf(user.id),
})

const membershipData = (membership: SimMembership) => ({
  object: 'organization_membership',
  id: membership.id,
  role: membership.role,
  organization: { ...organizationData(membership.organization), ...strangeCopy },
  public_user_data: publicUserData(membership.user),
  ...metadata(membership.id),
  ...times(membership),
})

const invitationData = (invitation: SimInvitation) => ({
  object: 'organization_invitation',
  id: invitation.id,
  email_address: `${markerOf(invitation.invitee?.id ?? invitation.id)}@example.org`,
  role: 'org:member',
  status: invitation.status,
  organization_id: invitation.organization.id,
  public_organization_data: { ...organizationData(invitation.organization), ...strangeCopy },
  inviter_id: invitation.inviter.id,
  public_inviter_data: publicUserData(invitation.inviter),
  ...(invitation.status === 'accepted' && invitation.invitee && { user_id: invitation.invitee.id }),
  expires_at: invitation.createdAtMs + 604_800_000,
  ...metadata(invitation.id),
  ...times(invitation),
})

const domainData = (domain: SimDomain) => ({
  object: 'organization_domain',
  id: domain.id,
  organization_id: domain.organization.id,
  name: `${markerOf(domain.id)}.example`,
  enrollment_mode: 'automatic_invitation',
  verification: domain.verified ? { status: 'verified' } : null,
  ...times(domain),
})

const sessionData = (session: SimSession) => ({
  object: 'session',
  id: session.id,
  user_id: session.user.id,
  user: { ...userData(session.user), ...strangeCopy },
  status: session.status,
  ...times(session),
})

/** Billing writes "" for the half of a payer that is not there. */
const subscriptionData = ({ id, payer, status, ...rest }: SimSubscription) => ({
  object: 'commerce_subscription',
  id,
  status,
  payer: {
    user_id: payer.kind === 'user' ? payer.id : '',
    email: payer.kind === 'user' ? `${markerOf(payer.id)}@example.org` : '',
    organization_id: payer.kind === 'organization' ? payer.id : '',
    organization_name: payer.kind === 'organization' ? markerOf(payer.id) : '',
  },
  ...times(rest),
})

export function dataOf(object: SimObject): object {
  if (object.kind === 'user') return userData(object)
  if (object.kind === 'organization') return organizationData(object)
  if (object.kind === 'organizationMembership') return membershipData(object)
  if (object.kind === 'organizationInvitation') return invitationData(object)
  if (object.kind === 'organizationDomain') return domainData(object)
  if (object.kind === 'session') return sessionData(object)
  return subscriptionData(object)
}
