import type { PrismaClient } from '../generated/client.js'
import { ERASURES_AT_ONCE, PROBED_AT_ONCE, USER_TIMES_AT_ONCE } from '../limits.js'

/** A part of the times of creation of all users, in ms; 0 where Clerk gave none. */
export type UserTimes = { createdAtMs: readonly number[]; next: bigint | null }

/** Of a user: the version's `updated_at`, null for a stub; the text, null for a tombstone. */
export type StoredUser = { updatedAtMs: number | null; deletedBy: string | null; data: string | null }

/** The reads of a comparison with Clerk. All of them throw Failure when the database does not answer. */
export type ProbeReads = {
  /** From the beginning, or where the last part said. */
  userTimes: (after: bigint | null) => Promise<UserTimes>
  storedUsers: (ids: readonly string[]) => Promise<Map<string, StoredUser>>
  /** Users whom an operator erased and who are not back, the last erased first, at most so many. */
  erasedUsers: (limit: number) => Promise<string[]>
}

export async function userTimes(prisma: PrismaClient, after: bigint | null): Promise<UserTimes> {
  const rows = await prisma.user.findMany({
    ...(after !== null && { where: { id: { gt: after } } }),
    orderBy: { id: 'asc' },
    take: USER_TIMES_AT_ONCE,
    select: { id: true, createdAt: true },
  })
  const next = rows.length < USER_TIMES_AT_ONCE ? null : (rows.at(-1)?.id ?? null)
  return { createdAtMs: rows.map(({ createdAt }) => createdAt?.getTime() ?? 0), next }
}

export async function storedUsers(prisma: PrismaClient, ids: readonly string[]): Promise<Map<string, StoredUser>> {
  const found = new Map<string, StoredUser>()
  for (let at = 0; at < ids.length; at += PROBED_AT_ONCE) {
    const rows = await prisma.clerkObject.findMany({
      where: { id: { in: ids.slice(at, at + PROBED_AT_ONCE) } },
      select: { id: true, eventId: true, updatedAtMs: true, tombstoneSource: true, data: true },
    })
    for (const { id, eventId, updatedAtMs, tombstoneSource, data } of rows) {
      found.set(id, { updatedAtMs: eventId === null ? null : Number(updatedAtMs), deletedBy: tombstoneSource, data })
    }
  }
  return found
}

export async function erasedUsers(prisma: PrismaClient, limit: number): Promise<string[]> {
  const erased = new Set<string>()
  let before: bigint | null = null
  while (erased.size < limit) {
    const actions: { id: bigint; subjectId: string | null }[] = await prisma.operatorAction.findMany({
      where: { action: 'erase', ...(before !== null && { id: { lt: before } }) },
      orderBy: { id: 'desc' },
      take: ERASURES_AT_ONCE,
      select: { id: true, subjectId: true },
    })
    const ids = actions.flatMap(({ subjectId }) => subjectId ?? [])
    const gone = await prisma.clerkObject.findMany({
      where: { id: { in: ids }, tombstoneSource: 'operator' },
      select: { id: true },
    })
    for (const { id } of gone) erased.add(id)
    before = actions.at(-1)?.id ?? null
    if (actions.length < ERASURES_AT_ONCE) break
  }
  return [...erased].slice(0, limit)
}
