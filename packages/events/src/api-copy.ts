import { changedMembers } from './changed-members.js'
import { eachMember } from './json-text.js'

/**
 * Members that change at Clerk without a change of the object: with time, with each sign-in, or with copies of other
 * objects. A copy from Clerk's API that differs in these alone is no other version.
 */
const VOLATILE_MEMBERS: ReadonlySet<string> = new Set([
  ...['updated_at', 'last_active_at', 'last_sign_in_at', 'lockout_expires_in_seconds'],
  ...['verification_attempts_remaining', 'members_count', 'pending_invitations_count'],
  ...['missing_member_with_elevated_permissions', 'total_pending_invitations', 'total_pending_suggestions'],
  ...['organization', 'public_user_data', 'public_organization_data', 'public_inviter_data', 'profile_image_url'],
])

/**
 * The members in which a copy from Clerk's API truly differs from the stored text. A member that the copy lacks is no
 * difference: some are delivered by webhooks alone.
 */
export function membersThatDiffer(stored: string, fromApi: string): string[] {
  const given = new Set<string>()
  eachMember(fromApi, (key, keyEnd) => void given.add(String(JSON.parse(fromApi.slice(key, keyEnd)))))
  return changedMembers(stored, fromApi).filter((name) => given.has(name) && !VOLATILE_MEMBERS.has(name))
}
