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
 * Users as people with a profile page: the public reads, and the only write of the application. Every call throws a
 * Failure when the database does not answer; trying again later may help.
 */
export type Profiles = AsyncDisposable & {
  /** The newest profiles after the cursor `after`. `next`: the cursor of the next page, null on the last. */
  list: (page: { limit: number; after: ProfileCursor | null }) => Promise<ProfilePage>
  /** Ignores case; if several users claim the name, finds the newest. Null without a public page. */
  find: (username: string) => Promise<Profile | null>
  /** A user's own view: empty when nothing was written and Clerk's event has not come. */
  own: (clerkId: string) => Promise<OwnProfile | 'deleted'>
  /** Replaces the tagline and all blocks. Values must fit their columns. */
  save: (clerkId: string, edit: ProfileEdit) => Promise<'saved' | 'deleted'>
}

/** Opens no connection yet. */
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
