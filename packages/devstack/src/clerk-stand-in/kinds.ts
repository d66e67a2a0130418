/** Kinds that Clerk lists for a whole instance, with the paths of the lists. */
export const LISTS = {
  user: '/users',
  organization: '/organizations',
  organizationMembership: '/organization_memberships',
  organizationInvitation: '/organization_invitations',
  organizationDomain: '/organization_domains',
  role: '/organization_roles',
  permission: '/organization_permissions',
  waitlistEntry: '/waitlist_entries',
} as const

export type StandInKind = keyof typeof LISTS

export const STAND_IN_KINDS = Object.keys(LISTS).filter((kind): kind is StandInKind => Object.hasOwn(LISTS, kind))

/**
 * An object as the stand-in holds it. A text may be made when it is asked for: a million users would fill the memory.
 */
export type StandInObject = {
  id: string
  createdAtMs: number
  updatedAtMs: number
  organizationId: string | null
  userId: string | null
  text: string | (() => string)
}

export const textOf = ({ text }: StandInObject): string => (typeof text === 'string' ? text : text())

/** Reads an object as Clerk sends it. @throws when it has no id. */
export function standInObject(object: string | object): StandInObject {
  const text = typeof object === 'string' ? object : JSON.stringify(object)
  const member = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>
  const inside = (key: string) => Object(member[key]) as Readonly<Record<string, unknown>>
  const id = textOrNull(member['id'])
  if (id === null) throw new TypeError('an object of Clerk has an id')
  return {
    ...{ id, text, createdAtMs: Number(member['created_at'] ?? 0), updatedAtMs: Number(member['updated_at'] ?? 0) },
    organizationId: textOrNull(member['organization_id']) ?? textOrNull(inside('organization')['id']),
    userId: textOrNull(member['user_id']) ?? textOrNull(inside('public_user_data')['user_id']),
  }
}

const textOrNull = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null)
