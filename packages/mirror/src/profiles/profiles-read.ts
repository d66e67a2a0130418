import type { Prisma, PrismaClient } from '../generated/client.js'
import { CLAIMS_AT_ONCE } from './profiles-limits.js'

/** A link of a profile page. Other writers of the table may leave the text or the address out. */
export type Block = { type: number; label: string | null; url: string | null }

/** The public part of a user. No e-mail address, no Clerk id and no metadata is ever read for it. */
export type ProfileSummary = {
  username: string
  displayName: string | null
  tagline: string | null
  imgUrl: string | null
}
export type Profile = ProfileSummary & { blocks: Block[] }
/** A position in the list: after this user. */
export type ProfileCursor = { listedAtMs: number; id: bigint }
export type ProfilePage = { profiles: ProfileSummary[]; next: ProfileCursor | null }

/** A user's own profile: without a username, or before Clerk's event has come, it is not public. */
export type OwnProfile = Omit<Profile, 'username'> & { username: string | null; isPublic: boolean }

const SUMMARY = { username: true, displayName: true, tagline: true, imgUrl: true } satisfies Prisma.UserSelect
const WITH_BLOCKS = {
  ...SUMMARY,
  listedAt: true,
  blocks: {
    select: { type: true, label: true, url: true },
    orderBy: [{ position: 'asc' }, { id: 'asc' }],
  },
} satisfies Prisma.UserSelect

export async function listProfiles(
  prisma: PrismaClient,
  { limit, after }: { limit: number; after: ProfileCursor | null },
): Promise<ProfilePage> {
  const rows = await prisma.user.findMany({
    where: after === null ? { listedAt: { not: null } } : behind(after),
    orderBy: [{ listedAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
    select: { ...SUMMARY, listedAt: true, id: true },
  })
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    profiles: page.map(({ username, displayName, tagline, imgUrl }) => ({
      username: username ?? '',
      displayName,
      tagline,
      imgUrl,
    })),
    next: last?.listedAt ? { listedAtMs: last.listedAt.getTime(), id: last.id } : null,
  }
}

function behind({ listedAtMs, id }: ProfileCursor) {
  const listedAt = new Date(listedAtMs)
  return { OR: [{ listedAt: { lt: listedAt } }, { listedAt, id: { lt: id } }] }
}

/**
 * While a rename is in flight two rows claim a name, and the one that changed last has it: it alone decides, even when
 * it has no page. The column's collation finds `josé` for `jose`, which are two people, so the names are compared here.
 */
export async function publicProfile(prisma: PrismaClient, username: string): Promise<Profile | null> {
  for (let skip = 0; ; skip += CLAIMS_AT_ONCE) {
    const claims = await prisma.user.findMany({
      where: { username },
      orderBy: [{ updatedAt: 'desc' }, { id: 'desc' }],
      ...{ skip, take: CLAIMS_AT_ONCE },
      select: WITH_BLOCKS,
    })
    for (const { listedAt, username: claimed, ...profile } of claims) {
      if (claimed === null || !isSameName(claimed, username)) continue
      return listedAt === null ? null : { username: claimed, ...profile }
    }
    if (claims.length < CLAIMS_AT_ONCE) return null
  }
}

const isSameName = (a: string, b: string) => lowered(a) === lowered(b)
const lowered = (name: string) => name.normalize('NFC').toLowerCase()

const NOTHING_YET: OwnProfile = {
  username: null,
  displayName: null,
  tagline: null,
  imgUrl: null,
  blocks: [],
  isPublic: false,
}

export async function ownProfile(prisma: PrismaClient, clerkId: string): Promise<OwnProfile | 'deleted'> {
  const row = await prisma.user.findUnique({ where: { clerkId }, select: WITH_BLOCKS })
  if (row !== null) {
    const { listedAt, ...own } = row
    return { ...own, isPublic: listedAt !== null }
  }
  // After the typed row, which is removed together with the object row: in the other order a delete could intervene.
  const object = await prisma.clerkObject.findUnique({ where: { id: clerkId }, select: { deletedAt: true } })
  return object?.deletedAt ? 'deleted' : NOTHING_YET
}
