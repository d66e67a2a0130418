import type { Profiles } from '@clerk-mirror/mirror'
import type { FastifyRequest } from 'fastify'
import { cursorText, parseCursor } from './cursor.js'
import type { DatabaseQueue } from './database-queue.js'
import { Refusal } from './errors.js'
import { PAGE_SIZE, USERNAME_MAX } from './limits.js'
import { type PublicProfile, type PublicSummary, publicProfile, publicSummary } from './public-profile.js'

export type ProfileCalls = Omit<Profiles, typeof Symbol.asyncDispose>
/** The profiles for one request: each call waits for the turn of the address that the request came from. */
export type ProfilesFor = (request: FastifyRequest) => ProfileCalls

export function inTurns(profiles: ProfileCalls, queue: DatabaseQueue): ProfilesFor {
  return ({ ip: address, socket }) => {
    const requester = { address, hasLeft: () => socket.destroyed }
    return {
      list: (page) => queue.run(requester, () => profiles.list(page)),
      find: (username) => queue.run(requester, () => profiles.find(username)),
      own: (clerkId) => queue.run(requester, () => profiles.own(clerkId)),
      save: (clerkId, edit) => queue.run(requester, () => profiles.save(clerkId, edit)),
    }
  }
}

/** A page of the list, as the API and the pages show it. @throws Refusal of a cursor that is none. */
export async function readPage(
  profiles: ProfileCalls,
  cursor: string | undefined,
): Promise<{ profiles: PublicSummary[]; next: string | null }> {
  const after = cursor === undefined ? null : parseCursor(cursor)
  if (cursor !== undefined && after === null) throw new Refusal('invalid_cursor')
  const page = await profiles.list({ limit: PAGE_SIZE, after })
  return { profiles: page.profiles.map(publicSummary), next: page.next && cursorText(page.next) }
}

export async function findProfile(profiles: ProfileCalls, username: string): Promise<PublicProfile | null> {
  // A needless query for an unknown name; a malformed one is unknown, too.
  if (Array.from(username).length > USERNAME_MAX || !username.isWellFormed()) return null
  const profile = await profiles.find(username)
  return profile && publicProfile(profile)
}
