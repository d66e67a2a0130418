import type { Profiles } from '@clerk-mirror/mirror'
import { cursorText, parseCursor } from './cursor.js'
import { Refusal } from './errors.js'
import { PAGE_SIZE, USERNAME_MAX } from './policy.js'
import { type PublicProfile, type PublicSummary, publicProfile, publicSummary } from './public-profile.js'

/** A page of the list, as the API and the pages show it. @throws Refusal of a cursor that is none. */
export async function readPage(
  profiles: Profiles,
  cursor: string | undefined,
): Promise<{ profiles: PublicSummary[]; next: string | null }> {
  const after = cursor === undefined ? null : parseCursor(cursor)
  if (cursor !== undefined && after === null) throw new Refusal('invalid_cursor')
  const page = await profiles.list({ limit: PAGE_SIZE, after })
  return { profiles: page.profiles.map(publicSummary), next: page.next && cursorText(page.next) }
}

export async function findProfile(profiles: Profiles, username: string): Promise<PublicProfile | null> {
  // Asked without need for a name that is nobody's, and one that is not well-formed is nobody's either.
  if (Array.from(username).length > USERNAME_MAX || !username.isWellFormed()) return null
  const profile = await profiles.find(username)
  return profile && publicProfile(profile)
}
