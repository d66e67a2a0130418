import type { Version } from '@clerk-mirror/events'
import type { PrismaClient } from '../generated/client.js'
import { type Counts, readCounts } from './audit-log.js'

/** The stored state of one object, without its data. Times in ms. */
export type StoredObject = {
  id: string
  kind: string
  /** Null for a stub: another object names it, and no event of its own has come. */
  version: Version | null
  userId: string | null
  organizationId: string | null
  syncedAtMs: number | null
  deletedAtMs: number | null
  deletedBy: string | null
}

/** The ledger's row of an event. Times in ms. */
export type LedgerRow = {
  eventId: string
  type: string
  objectId: string | null
  source: string
  outcome: string
  attempts: number
  receivedAtMs: number
  appliedAtMs: number
}

/** A recorded action of an operator. Times in ms. */
export type RecordedAction = {
  id: bigint
  atMs: number
  finishedAtMs: number | null
  actor: string
  action: string
  subjectId: string | null
  details: string | null
  counts: Counts
}

/** One row of the recent activity for each minute with a decision. Times in ms. */
export type ActivityMinute = {
  atMs: number
  outcomes: Readonly<Record<string, number>>
  lagMedianMs: number | null
  lagMaxMs: number | null
}

export async function storedObject(prisma: PrismaClient, id: string): Promise<StoredObject | null> {
  const row = await prisma.clerkObject.findUnique({ where: { id }, omit: { data: true } })
  if (!row) return null
  const { kind, eventId, updatedAtMs, timestampMs, userId, organizationId, syncedAt, deletedAt, tombstoneSource } = row
  return {
    ...{ id, kind, userId, organizationId },
    version: eventId === null ? null : { updatedAtMs: Number(updatedAtMs), timestampMs: Number(timestampMs), eventId },
    syncedAtMs: syncedAt?.getTime() ?? null,
    deletedAtMs: deletedAt?.getTime() ?? null,
    deletedBy: tombstoneSource,
  }
}

/** Objects that were deleted together with this user or organization, up to `limit`. */
export async function wentWith(prisma: PrismaClient, id: string, limit: number): Promise<string[]> {
  const rows = await prisma.clerkObject.findMany({
    where: { OR: [{ userId: id }, { organizationId: id }], tombstoneSource: 'parent' },
    select: { id: true },
    take: limit,
  })
  return rows.map((row) => row.id)
}

type LedgerQuery = { eventId: string } | { objectId: string }

/** Newest first. */
export async function ledgerRows(prisma: PrismaClient, where: LedgerQuery, limit: number): Promise<LedgerRow[]> {
  const rows = await prisma.webhookEvent.findMany({ where, orderBy: { appliedAt: 'desc' }, take: limit })
  return rows.map(({ receivedAt, appliedAt, instanceId: _, ...row }) => ({
    ...row,
    receivedAtMs: receivedAt.getTime(),
    appliedAtMs: appliedAt.getTime(),
  }))
}

/** Newest first: actions before the action `before`, of one subject or of all. */
export async function recordedActions(
  prisma: PrismaClient,
  { before, subjectId, limit }: { before?: bigint; subjectId?: string; limit: number },
): Promise<RecordedAction[]> {
  const rows = await prisma.operatorAction.findMany({
    where: { ...(before !== undefined && { id: { lt: before } }), ...(subjectId !== undefined && { subjectId }) },
    orderBy: { id: 'desc' },
    take: limit,
    omit: { position: true },
  })
  return rows.map(({ at, finishedAt, counts, ...row }) => ({
    ...row,
    atMs: at.getTime(),
    finishedAtMs: finishedAt?.getTime() ?? null,
    counts: readCounts(counts),
  }))
}

export async function outcomesSince(prisma: PrismaClient, sinceMs: number): Promise<Record<string, number>> {
  const groups = await prisma.webhookEvent.groupBy({
    by: ['outcome'],
    where: { appliedAt: { gte: new Date(sinceMs) } },
    _count: true,
  })
  return Object.fromEntries(groups.map(({ outcome, _count }) => [outcome, _count]))
}

const MINUTE_MS = 60_000

/** Oldest first. Lag is from receipt to the table, of events that Clerk itself delivered and no operator removed. */
export async function activitySince(prisma: PrismaClient, sinceMs: number): Promise<ActivityMinute[]> {
  const since = new Date(sinceMs)
  // Prisma's own grouping has neither minutes nor medians.
  const [counted, lags] = await Promise.all([
    prisma.$queryRawUnsafe<{ minute: bigint; outcome: string; events: bigint }[]>(COUNTS, since),
    prisma.$queryRawUnsafe<{ minute: bigint; median: unknown; longest: unknown }[]>(LAGS, since),
  ])
  const minutes = new Map<number, ActivityMinute>()
  for (const { minute, outcome, events } of counted) {
    const atMs = Number(minute) * MINUTE_MS
    const before = minutes.get(atMs)
    const outcomes = { ...before?.outcomes, [outcome]: Number(events) }
    minutes.set(atMs, { atMs, outcomes, lagMedianMs: null, lagMaxMs: null })
  }
  for (const { minute, median, longest } of lags) {
    const atMs = Number(minute) * MINUTE_MS
    const outcomes = minutes.get(atMs)?.outcomes ?? {}
    minutes.set(atMs, { atMs, outcomes, lagMedianMs: toMs(median), lagMaxMs: toMs(longest) })
  }
  return [...minutes.values()].sort((one, other) => one.atMs - other.atMs)
}

const MINUTE = "TIMESTAMPDIFF(MINUTE, '1970-01-01', applied_at)"

const COUNTS = `SELECT ${MINUTE} AS minute, outcome, COUNT(*) AS events FROM webhook_events WHERE applied_at >= ? GROUP BY minute, outcome`

/** The median of each minute's lags. `lag` is a reserved word in MySQL 8. */
const LAGS = `
SELECT minute, AVG(CASE WHEN place IN (FLOOR((events + 1) / 2), FLOOR(events / 2) + 1) THEN delay_us END) AS median, MAX(delay_us) AS longest
FROM (
  SELECT minute, delay_us, ROW_NUMBER() OVER (PARTITION BY minute ORDER BY delay_us) AS place, COUNT(*) OVER (PARTITION BY minute) AS events
  FROM (
    SELECT ${MINUTE} AS minute, TIMESTAMPDIFF(MICROSECOND, received_at, applied_at) AS delay_us FROM webhook_events
    WHERE applied_at >= ? AND source = 'clerk' AND outcome NOT IN ('erased', 'discarded')
  ) AS each_event
) AS in_order
GROUP BY minute`

/** Clocks of two machines may make a lag negative. */
const toMs = (microseconds: unknown) => Math.max(0, Math.round(Number(microseconds) / 1000))
