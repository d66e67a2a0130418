import { Failure } from '@clerk-mirror/events'
import { type ReactionRequest, writeOutbox } from '../apply/outbox.js'
import { placeholders, type SqlValue, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { BACKFILL_BATCH } from '../limits.js'
import { beginAction, readCounts } from './audit-log.js'

/*
 * An operator requests a reaction for objects in their present state. As a rebuild does, the backfill walks through the
 * ids of all objects, a page to a transaction; its position is stored in the action's record and moves with the page.
 */

export type BackfillRequest = {
  actor: string
  reaction: string
  /** A kind of Clerk objects, such as `user`. */
  kind: string
  /** Only these; null for all of the kind. */
  ids: readonly string[] | null
  /** Part of each run's idempotency key: the same request gives the same keys. */
  requestId: string
}

/** A backfill that has begun, now or earlier. */
export type BackfillRun = BackfillRequest & { actionId: bigint; isResumed: boolean }

/** `requested`: of the whole run so far. */
export type BackfillStep = { isDone: boolean; requested: number }

type Chosen = Pick<BackfillRequest, 'kind' | 'ids'>

/** The number of living objects that the request covers. */
export const countBackfill = (prisma: PrismaClient, { kind, ids }: Chosen): Promise<number> =>
  prisma.clerkObject.count({
    where: { kind, eventId: { not: null }, deletedAt: null, ...(ids && { id: { in: [...ids] } }) },
  })

export const hasObjectsOf = async (prisma: PrismaClient, kind: string): Promise<boolean> =>
  (await prisma.clerkObject.findFirst({ where: { kind, eventId: { not: null } }, select: { id: true } })) !== null

/** Begins the backfill, or resumes an interrupted one of the same request. */
export async function beginBackfill(
  prisma: PrismaClient,
  request: BackfillRequest,
  nowMs: number,
): Promise<BackfillRun> {
  const { actor, reaction, kind, ids, requestId } = request
  const details = JSON.stringify({ reaction, kind, ...(ids && { ids: ids.toSorted() }), requestId })
  const last = await prisma.operatorAction.findFirst({
    where: { action: 'ask', details, finishedAt: null },
    orderBy: { id: 'desc' },
    select: { id: true },
  })
  if (last) return { ...request, actionId: last.id, isResumed: true }
  const subjectId = ids?.length === 1 ? (ids[0] ?? null) : null
  const actionId = await beginAction(prisma, { actor, action: 'ask', subjectId, details }, nowMs)
  return { ...request, actionId, isResumed: false }
}

/** Requests the next page. @throws Failure; then nothing of the page was requested. */
export async function backfillNext(transaction: Transaction, run: BackfillRun, nowMs: number): Promise<BackfillStep> {
  const { position, counts, isFinished } = await lockRun(transaction, run.actionId)
  if (isFinished) return { isDone: true, requested: counts }
  const page = await lockPage(transaction, run, position)
  await writeOutbox(
    transaction,
    page.map((row) => requestOf(row, run, nowMs)),
  )
  const isDone = page.length < BACKFILL_BATCH
  const asked = counts + page.length
  await transaction.execute({
    sql: 'UPDATE operator_actions SET position=?, counts=?, finished_at=? WHERE id=?',
    values: [page.at(-1)?.id ?? position, JSON.stringify({ asked }), timeValue(isDone ? nowMs : null), run.actionId],
  })
  return { isDone, requested: asked }
}

async function lockRun(transaction: Transaction, actionId: bigint) {
  type Row = { position: string | null; counts: string | null; isFinished: unknown }
  const [row] = await transaction.query<Row>(
    'SELECT position, counts, finished_at IS NOT NULL AS isFinished FROM operator_actions WHERE id=? FOR UPDATE',
    [actionId],
  )
  if (!row) throw new Failure('poison', 'ask_unknown', 'the record of this request is gone: begin a new one')
  const { asked = 0 } = readCounts(row.counts)
  return { position: row.position ?? '', counts: asked, isFinished: Number(row.isFinished) === 1 }
}

type ObjectRow = Record<'id' | 'event_id', string> &
  Record<'user_id' | 'organization_id', string | null> &
  Record<'updated_at_ms' | 'timestamp_ms', bigint>

/** Locked, so that no user is erased between the read and the writes: their requests would stay in the outbox. */
function lockPage(transaction: Transaction, { kind, ids }: Chosen, after: string): Promise<ObjectRow[]> {
  const chosen = ids ? ` AND id IN (${placeholders(ids.length)})` : ''
  const values: SqlValue[] = [after, kind, ...(ids ?? [])]
  return transaction.query<ObjectRow>(
    'SELECT id, event_id, user_id, organization_id, updated_at_ms, timestamp_ms FROM clerk_objects ' +
      `WHERE id > ? AND kind = ? AND event_id IS NOT NULL AND deleted_at IS NULL${chosen} ` +
      `ORDER BY id LIMIT ${BACKFILL_BATCH} FOR UPDATE`,
    values,
  )
}

/** As `created`: to a reaction that is requested on purpose, the object is new, or to be handled anew. */
const requestOf = (row: ObjectRow, { reaction, kind, requestId }: BackfillRun, nowMs: number): ReactionRequest => ({
  ...{ reaction, what: 'created', kind, objectId: row.id, changedFields: [], askedAtMs: nowMs, requestId },
  userId: kind === 'user' ? row.id : row.user_id,
  organizationId: kind === 'organization' ? row.id : row.organization_id,
  version: {
    updatedAtMs: Number(row.updated_at_ms),
    timestampMs: Number(row.timestamp_ms),
    eventId: row.event_id,
  },
})
