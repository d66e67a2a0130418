import { Failure, readStoredObject, type Subjects, type TypedKind } from '@clerk-mirror/events'
import { lockHeads } from '../apply/heads.js'
import { placeholders, type SqlValue, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { type Removed, type Row, removeRows, removeSyncedRows, sumOf, writeRows } from '../projections/rows.js'
import { readCounts } from './audit-log.js'
import { type Page, type PageHead, readPage } from './rebuild-page.js'

/*
 * A rebuild walks through the ids of all objects, a page to a transaction, and makes the typed rows of each page from
 * its heads. How far it is stands in the record of the operator's action and moves with the page's own transaction.
 * Whoever takes the next page locks that record first: two that run at once share the pages, and one that was
 * interrupted is gone on with.
 */

/** All of the run so far: objects looked at, rows written, rows removed. */
export type RebuildCounts = { objects: number; written: number; removed: number }

export type RebuildStep = { isDone: boolean; counts: RebuildCounts }

type Head = {
  id: string
  kind: string
  isDeleted: boolean
  subjects: Subjects
  data: string | null
  syncedAtMs: number
}

/** Rebuilds the next page. @throws Failure of class `contention` when events came between; then nothing has changed. */
export async function rebuildNext(
  transaction: Transaction,
  actionId: bigint,
  kinds: readonly TypedKind[],
  nowMs: number,
): Promise<RebuildStep> {
  const run = await lockRun(transaction, actionId)
  if (run.isFinished) return { isDone: true, counts: run.counts }
  const page = await readPage(transaction, kinds, run.position)
  const { written, removed } = await rebuildPage(transaction, kinds, page)
  const counts = {
    objects: run.counts.objects + page.heads.length,
    written: run.counts.written + written,
    removed: run.counts.removed + removed,
  }
  const finishedAt = page.upTo === null ? timeValue(nowMs) : null
  await transaction.execute({
    sql: 'UPDATE operator_actions SET position=?, counts=?, finished_at=? WHERE id=?',
    values: [page.upTo ?? run.position, JSON.stringify(counts), finishedAt, actionId],
  })
  return { isDone: page.upTo === null, counts }
}

async function lockRun(transaction: Transaction, actionId: bigint) {
  type Run = { position: string | null; counts: string | null; isFinished: unknown }
  const [run] = await transaction.query<Run>(
    'SELECT position, counts, finished_at IS NOT NULL AS isFinished FROM operator_actions WHERE id=? FOR UPDATE',
    [actionId],
  )
  if (!run) throw new Failure('poison', 'rebuild_unknown', 'the record of this rebuild is gone: begin a new one')
  const counts: RebuildCounts = { objects: 0, written: 0, removed: 0, ...readCounts(run.counts) }
  return { position: run.position ?? '', isFinished: Number(run.isFinished) === 1, counts }
}

async function rebuildPage(transaction: Transaction, kinds: readonly TypedKind[], page: Page) {
  const isChosen = (kind: string): kind is TypedKind => (kinds as readonly string[]).includes(kind)
  const heads = await lockPage(
    transaction,
    page.heads.filter(({ kind }) => isChosen(kind)),
    page.rows,
  )
  const written = heads.flatMap((head) => rowsOf(head))
  if (written.length > 0) await writeRows(transaction, written)
  const tombstoned = heads.filter(({ isDeleted }) => isDeleted)
  const removed: Removed[] = [await removeRows(transaction, tombstoned)]
  for (const { kind, clerkIds } of page.rows) {
    const kept = new Set(written.filter(({ object }) => object.kind === kind).map(({ clerkId }) => clerkId))
    const orphans = clerkIds.filter((id) => !kept.has(id))
    removed.push(await removeSyncedRows(transaction, kind, orphans))
  }
  const sum = Object.values(sumOf(removed)).reduce((total, count) => total + count, 0)
  return { written: written.length, removed: sum }
}

/**
 * Locks the heads of a page, and, as apply does, of whom they name: a user's delete that runs beside it would else
 * remove a membership's row just before it is written again.
 */
async function lockPage(
  transaction: Transaction,
  pageHeads: readonly PageHead[],
  pageRows: Page['rows'],
): Promise<Head[]> {
  const kindOfId = new Map<string, string>()
  for (const { subjects } of pageHeads) {
    if (subjects.userId !== null) kindOfId.set(subjects.userId, 'user')
    if (subjects.organizationId !== null) kindOfId.set(subjects.organizationId, 'organization')
  }
  for (const { kind, clerkIds } of pageRows) for (const id of clerkIds) kindOfId.set(id, kind)
  for (const { id, kind } of pageHeads) kindOfId.set(id, kind)
  if (kindOfId.size === 0) return []
  await lockHeads(transaction, kindOfId)
  const ids = pageHeads.map(({ id }) => id)
  const rowIds = pageRows.flatMap(({ clerkIds }) => clerkIds)
  const heads = await readHeads(transaction, [...new Set([...ids, ...rowIds])].sort())
  const isLocked = (id: string | null) => id === null || kindOfId.has(id)
  if (heads.some(({ subjects }) => !isLocked(subjects.userId) || !isLocked(subjects.organizationId))) {
    throw new Failure('contention', 'heads_moved', 'an object changed its owner before it was locked')
  }
  return heads
}

async function readHeads(transaction: Transaction, ids: readonly string[]): Promise<Head[]> {
  type Stored = Record<'id' | 'kind', string> &
    Record<'user_id' | 'organization_id' | 'data', string | null> & { deleted: SqlValue; synced_at: Date | null }
  const rows = await transaction.query<Stored>(
    'SELECT id, kind, user_id, organization_id, data, synced_at, deleted_at IS NOT NULL AS deleted FROM clerk_objects ' +
      `WHERE id IN (${placeholders(ids.length)}) AND (event_id IS NOT NULL OR deleted_at IS NOT NULL)`,
    ids,
  )
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    isDeleted: Number(row.deleted) === 1,
    subjects: { userId: row.user_id, organizationId: row.organization_id },
    data: row.data,
    syncedAtMs: Number(row.synced_at),
  }))
}

/** The typed row of a living head; none for a kind without a table. */
function rowsOf({ id, kind, isDeleted, data, syncedAtMs }: Head): Row[] {
  if (isDeleted || data === null) return []
  const object = readStoredObject(kind, data)
  if (object === 'unreadable') throw new Failure('poison', 'head_unreadable', `the text of ${id} is no JSON object`)
  return object === null ? [] : [{ clerkId: id, object, syncedAtMs }]
}
