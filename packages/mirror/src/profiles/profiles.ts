import { openPrisma } from '../database/connection.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { classify } from '../database/failures.js'
import {
  listProfiles,
  type OwnProfile,
  ownProfile,
  type Profile,
  type ProfileCursor,
  type ProfilePage,
  publicProfile,
} from './profiles-read.js'
import { type ProfileEdit, saveProfile } from './profiles-save.js'

/**
 * The users as people with a page of their own: what the public may read, and the one thing that the application may
 * write. Every call throws a Failure when the database does not do what it is asked; trying again later may help.
 */
export type Profiles = AsyncDisposable & {
  /** The newest profiles from `after` on. `next` is where the next page begins, null on the last. */
  list: (page: { limit: number; after: ProfileCursor | null }) => Promise<ProfilePage>
  /** Upper and lower case are one; of several users who claim the name, the newest. Null where nobody has a page. */
  find: (username: string) => Promise<Profile | null>
  /** What a user sees of themselves: empty when nothing was written and Clerk's event has not come. */
  own: (clerkId: string) => Promise<OwnProfile | 'deleted'>
  /** Replaces the tagline and all blocks. Values must fit their columns. */
  save: (clerkId: string, edit: ProfileEdit) => Promise<'saved' | 'deleted'>
}

/** Opens nothing yet. */
export function openProfiles(options: DatabaseOptions, random = Math.random): Profiles {
  const prisma = openPrisma(options)
  return {
    list: (page) => listProfiles(prisma, page).catch(fail),
    find: (username) => publicProfile(prisma, username).catch(fail),
    own: (clerkId) => ownProfile(prisma, clerkId).catch(fail),
    save: (clerkId, edit) => saveProfile(prisma, clerkId, edit, random).catch(fail),
    [Symbol.asyncDispose]: () => prisma.$disconnect(),
  }
}

function fail(error: unknown): never {
  throw classify(error)
}
