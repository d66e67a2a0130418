/** How Clerk lists a kind: behind a cursor, or by offset with a total. */
export type Listing = { readonly path: string; readonly paging: 'cursor' | 'offset' }

/** Kinds that Clerk lists for a whole instance, by their names in MIRROR_KINDS. */
export const LISTINGS = {
  user: { path: '/users', paging: 'cursor' },
  organization: { path: '/organizations', paging: 'offset' },
  organizationMembership: { path: '/organization_memberships', paging: 'offset' },
  organizationInvitation: { path: '/organization_invitations', paging: 'offset' },
  organizationDomain: { path: '/organization_domains', paging: 'offset' },
  role: { path: '/organization_roles', paging: 'offset' },
  permission: { path: '/organization_permissions', paging: 'offset' },
  waitlistEntry: { path: '/waitlist_entries', paging: 'offset' },
} as const satisfies Record<string, Listing>

export type WalkedKind = keyof typeof LISTINGS

/** In an order in which parents come before the objects that name them. */
export const WALKED_KINDS = Object.keys(LISTINGS).filter(isWalkedKind)

export function isWalkedKind(kind: string): kind is WalkedKind {
  return Object.hasOwn(LISTINGS, kind)
}

/** The address of one object at Clerk: for some kinds there is no request by id alone. */
export type ReferenceOf = {
  user: { id: string }
  organization: { id: string }
  organizationMembership: { id: string; organizationId: string; userId: string }
  organizationInvitation: { id: string; organizationId: string }
  organizationDomain: { id: string; organizationId: string }
  role: { id: string }
  permission: { id: string }
  /** There is no request for one: the whole list is read. */
  waitlistEntry: { id: string }
}
