import type { Version } from '@clerk-mirror/events'
import type { FutureVersion } from '../apply/future-versions.js'
import { byKey, idList, type SqlValue, timeValue, upsert } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { FUTURE_LOOKED, FUTURE_MS } from '../limits.js'
import { beginAction, type Counts } from './audit-log.js'

/*
 * Notes of versions far in the future, which the batch that found them hands over after its commit, and the operator's
 * release of such a version.
 */

/** Notes the versions. Returns those that were not noted before. */
export async function noteFutureVersions(
  prisma: PrismaClient,
  found: readonly FutureVersion[],
  nowMs: number,
): Promise<FutureVersion[]> {
  const ids = found.map(({ objectId }) => objectId).sort()
  const values: SqlValue[] = []
  const known = await prisma.$queryRawUnsafe<{ object_id: string }[]>(
    `SELECT object_id FROM future_versions WHERE object_id IN (${idList(ids, values)})`,
    ...values,
  )
  const isKnown = new Set(known.map((row) => row.object_id))
  const fresh = found.filter(({ objectId }) => !isKnown.has(objectId)).sort(byKey(({ objectId }) => objectId))
  if (fresh.length === 0) return []
  const rows = fresh.map(({ objectId }): SqlValue[] => [objectId, timeValue(nowMs)])
  const note = upsert({ table: 'future_versions', columns: ['object_id', 'noticed_at'], updates: [], rows })
  await prisma.$executeRawUnsafe(note.sql, ...note.values)
  return fresh
}

/** An object whose stored version is still ahead. Time in ms. */
export type FutureObject = { id: string; kind: string; version: Version; noticedAtMs: number }

export async function futureObjects(prisma: PrismaClient, nowMs: number, limit: number): Promise<FutureObject[]> {
  type Row = Record<'id' | 'kind' | 'event_id', string> &
    Record<'updated_at_ms' | 'timestamp_ms', bigint> & { noticed_at: Date }
  const rows = await prisma.$queryRawUnsafe<Row[]>(
    `SELECT o.id, o.kind, o.event_id, o.updated_at_ms, o.timestamp_ms, noted.noticed_at FROM ${NOTED} ` +
      `JOIN clerk_objects AS o ON o.id = noted.object_id WHERE ${IS_AHEAD} ORDER BY o.id LIMIT ?`,
    nowMs + FUTURE_MS,
    limit,
  )
  return rows.map((row) => ({
    ...{ id: row.id, kind: row.kind, noticedAtMs: row.noticed_at.getTime() },
    version: {
      updatedAtMs: Number(row.updated_at_ms),
      timestampMs: Number(row.timestamp_ms),
      eventId: row.event_id,
    },
  }))
}

export async function countFutureObjects(prisma: PrismaClient, nowMs: number): Promise<number> {
  const [counted] = await prisma.$queryRawUnsafe<{ rows: bigint }[]>(
    `SELECT COUNT(*) AS \`rows\` FROM ${NOTED} JOIN clerk_objects AS o ON o.id = noted.object_id WHERE ${IS_AHEAD}`,
    nowMs + FUTURE_MS,
  )
  return Number(counted?.rows ?? 0)
}

const NOTED = `(SELECT object_id, noticed_at FROM future_versions ORDER BY object_id LIMIT ${FUTURE_LOOKED}) AS noted`
const IS_AHEAD = 'o.deleted_at IS NULL AND o.event_id IS NOT NULL AND o.updated_at_ms > ?'

export const isFarAhead = (version: Version, nowMs: number): boolean => version.updatedAtMs > nowMs + FUTURE_MS

/** `from` and `to`: the version before and after. */
export type VersionRelease =
  | { kind: 'released'; from: Version; to: Version }
  | { kind: 'not-ahead'; version: Version }
  | { kind: 'deleted' }
  | { kind: 'nothing-stored' }

export type ReleaseRequest = { objectId: string; actor: string; dryRun?: boolean }

/**
 * Gives the stored object the version that it would have if Clerk had changed it when its event was received: every
 * later event of Clerk's is newer, every earlier one stays older. The content and the event id stay. A tombstone is
 * final and is not touched. Without an action id nothing is written.
 */
export async function releaseVersion(
  transaction: Transaction,
  { objectId }: ReleaseRequest,
  actionId: bigint | null,
  nowMs: number,
): Promise<VersionRelease> {
  type Row = Record<'updated_at_ms' | 'timestamp_ms', bigint> & {
    event_id: string | null
    synced_at: Date | null
    deleted: unknown
  }
  const [stored] = await transaction.query<Row>(
    'SELECT updated_at_ms, timestamp_ms, event_id, synced_at, deleted_at IS NOT NULL AS deleted FROM clerk_objects ' +
      'WHERE id=? FOR UPDATE',
    [objectId],
  )
  if (stored && Number(stored.deleted) === 1) return { kind: 'deleted' }
  if (!stored || stored.event_id === null) return { kind: 'nothing-stored' }
  const from = {
    updatedAtMs: Number(stored.updated_at_ms),
    timestampMs: Number(stored.timestamp_ms),
    eventId: stored.event_id,
  }
  if (!isFarAhead(from, nowMs)) return { kind: 'not-ahead', version: from }
  const [event] = await transaction.query<{ received_at: Date }>(
    'SELECT received_at FROM webhook_events WHERE event_id=?',
    [stored.event_id],
  )
  const receivedAtMs = Number(event?.received_at ?? stored.synced_at ?? nowMs)
  const to = { updatedAtMs: receivedAtMs, timestampMs: receivedAtMs, eventId: stored.event_id }
  if (actionId === null) return { kind: 'released', from, to }
  await transaction.execute({
    sql: 'UPDATE clerk_objects SET updated_at_ms=?, timestamp_ms=? WHERE id=?',
    values: [to.updatedAtMs, to.timestampMs, objectId],
  })
  await transaction.execute({ sql: 'DELETE FROM future_versions WHERE object_id=?', values: [objectId] })
  const counts: Counts = { released: 1 }
  await transaction.execute({
    sql: 'UPDATE operator_actions SET details=?, counts=?, finished_at=? WHERE id=?',
    values: [JSON.stringify({ from, to }), JSON.stringify(counts), timeValue(nowMs), actionId],
  })
  return { kind: 'released', from, to }
}

export const beginRelease = (prisma: PrismaClient, { objectId, actor }: ReleaseRequest, nowMs: number) =>
  beginAction(prisma, { actor, action: 'release', subjectId: objectId, details: null }, nowMs)
