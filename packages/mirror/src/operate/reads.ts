import { DECISIVE } from '../apply/ledger.js'
import { classify } from '../database/failures.js'
import type { PrismaClient } from '../generated/client.js'
import { countFutureObjects, type FutureObject, futureObjects } from './future-versions.js'
import {
  type ActivityMinute,
  activitySince,
  type LedgerRow,
  ledgerRows,
  outcomesSince,
  type RecordedAction,
  recordedActions,
  type StoredObject,
  storedObject,
  wentWith,
} from './operator-reads.js'
import { erasedUsers, type ProbeReads, storedUsers, userTimes } from './probe-reads.js'

/** What operators ask. All of it throws Failure when the database does not answer. */
export type MirrorReads = ProbeReads & {
  /** Those of these events that the ledger has decided. */
  decidedAmong: (eventIds: readonly string[]) => Promise<Set<string>>
  storedObject: (id: string) => Promise<StoredObject | null>
  /** Objects that were deleted together with this user or organization, up to `limit`. */
  wentWith: (id: string, limit: number) => Promise<string[]>
  ledgerRow: (eventId: string) => Promise<LedgerRow | null>
  /** The newest events of an object, newest first. */
  ledgerOf: (objectId: string, limit: number) => Promise<LedgerRow[]>
  outcomesSince: (sinceMs: number) => Promise<Record<string, number>>
  activitySince: (sinceMs: number) => Promise<ActivityMinute[]>
  /** Newest first: actions before the action `before`, of one subject or of all. */
  recordedActions: (query: { before?: bigint; subjectId?: string; limit: number }) => Promise<RecordedAction[]>
  /** Objects whose stored version is noted as far in the future and still is; by id. */
  futureObjects: (limit: number) => Promise<FutureObject[]>
  countFutureObjects: () => Promise<number>
}

export function mirrorReads(prisma: PrismaClient, clock: () => number = Date.now): MirrorReads {
  return {
    decidedAmong: (eventIds) => decidedAmong(prisma, eventIds).catch(fail),
    userTimes: (after) => userTimes(prisma, after).catch(fail),
    storedUsers: (ids) => storedUsers(prisma, ids).catch(fail),
    erasedUsers: (limit) => erasedUsers(prisma, limit).catch(fail),
    storedObject: (id) => storedObject(prisma, id).catch(fail),
    wentWith: (id, limit) => wentWith(prisma, id, limit).catch(fail),
    ledgerRow: (eventId) => ledgerRows(prisma, { eventId }, 1).then(([row]) => row ?? null, fail),
    ledgerOf: (objectId, limit) => ledgerRows(prisma, { objectId }, limit).catch(fail),
    outcomesSince: (sinceMs) => outcomesSince(prisma, sinceMs).catch(fail),
    activitySince: (sinceMs) => activitySince(prisma, sinceMs).catch(fail),
    recordedActions: (query) => recordedActions(prisma, query).catch(fail),
    futureObjects: (limit) => futureObjects(prisma, clock(), limit).catch(fail),
    countFutureObjects: () => countFutureObjects(prisma, clock()).catch(fail),
  }
}

function fail(error: unknown): never {
  throw classify(error)
}

/** Those of these events that the ledger has decided. A dead letter among them is settled. */
async function decidedAmong(prisma: PrismaClient, eventIds: readonly string[]): Promise<Set<string>> {
  const rows = await prisma.webhookEvent.findMany({
    where: { eventId: { in: [...eventIds] }, outcome: { in: [...DECISIVE] } },
    select: { eventId: true },
  })
  return new Set(rows.map((row) => row.eventId))
}
