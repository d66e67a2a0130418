import { Failure } from '@clerk-mirror/events'
import { type AskedReaction, writeOutbox } from '../apply/outbox.js'
import { placeholders, type SqlValue, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import type { PrismaClient } from '../generated/client.js'
import { ASK_BATCH } from '../limits.js'
import { beginAction, readCounts } from './audit-log.js'

/*
 * An operator asks a reaction for objects as they are now, on purpose. As a rebuild does, it walks through the ids of
 * all objects, a page to a transaction, and how far it is stands in the record of the action and moves with the page.
 */

export type AskRequest = {
  actor: string
  reaction: string
  /** A kind of Clerk objects, such as `user`. */
  kind: string
  /** These alone; null for all of the kind. */
  ids: readonly string[] | null
  /** Part of each run's idempotency key: the same request gives the same keys. */
  requestId: string
}

/** A request that has begun, now or earlier. */
export type AskRun = AskRequest & { actionId: bigint; isResumed: boolean }

/** `asked`: of the whole run so far. */
export type AskStep = { isDone: boolean; asked: number }

type Chosen = Pick<AskRequest, 'kind' | 'ids'>

/** How many objects are alive that the request is about. */
export const askable = (prisma: PrismaClient, { kind, ids }: Chosen): Promise<number> =>
  prisma.clerkObject.count({
    where: { kind, eventId: { not: null }, deletedAt: null, ...(ids && { id: { in: [...ids] } }) },
  })

export const hasObjectsOf = async (prisma: PrismaClient, kind: string): Promise<boolean> =>
  (await prisma.clerkObject.findFirst({ where: { kind, eventId: { not: null } }, select: { id: true } })) !== null

/** Begins the request, or finds the same one that was interrupted. */
export async function beginAsk(prisma: PrismaClient, request: AskRequest, nowMs: number): Promise<AskRun> {
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

/** Asks for the next page. @throws Failure; nothing of the page was asked for then. */
export async function askNext(transaction: Transaction, run: AskRun, nowMs: number): Promise<AskStep> {
  const { position, counts, isFinished } = await lockRun(transaction, run.actionId)
  if (isFinished) return { isDone: true, asked: counts }
  const page = await lockPage(transaction, run, position)
  await writeOutbox(
    transaction,
    page.map((head) => askedOf(head, run, nowMs)),
  )
  const isDone = page.length < ASK_BATCH
  const asked = counts + page.length
  await transaction.execute({
    sql: 'UPDATE operator_actions SET position=?, counts=?, finished_at=? WHERE id=?',
    values: [page.at(-1)?.id ?? position, JSON.stringify({ asked }), timeValue(isDone ? nowMs : null), run.actionId],
  })
  return { isDone, asked }
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

type HeadRow = Record<'id' | 'event_id', string> &
  Record<'user_id' | 'organization_id', string | null> &
  Record<'updated_at_ms' | 'timestamp_ms', bigint>

/** Locked, so that nobody is erased between the look and the rows: what waits of them would stay. */
function lockPage(transaction: Transaction, { kind, ids }: Chosen, after: string): Promise<HeadRow[]> {
  const chosen = ids ? ` AND id IN (${placeholders(ids.length)})` : ''
  const values: SqlValue[] = [after, kind, ...(ids ?? [])]
  return transaction.query<HeadRow>(
    'SELECT id, event_id, user_id, organization_id, updated_at_ms, timestamp_ms FROM clerk_objects ' +
      `WHERE id > ? AND kind = ? AND event_id IS NOT NULL AND deleted_at IS NULL${chosen} ` +
      `ORDER BY id LIMIT ${ASK_BATCH} FOR UPDATE`,
    values,
  )
}

/** As `created`: to whoever is asked on purpose, the object is one that it has not heard of, or has to hear of anew. */
const askedOf = (head: HeadRow, { reaction, kind, requestId }: AskRun, nowMs: number): AskedReaction => ({
  ...{ reaction, what: 'created', kind, objectId: head.id, changedFields: [], askedAtMs: nowMs, requestId },
  userId: kind === 'user' ? head.id : head.user_id,
  organizationId: kind === 'organization' ? head.id : head.organization_id,
  version: {
    updatedAtMs: Number(head.updated_at_ms),
    timestampMs: Number(head.timestamp_ms),
    eventId: head.event_id,
  },
})
