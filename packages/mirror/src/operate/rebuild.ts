import { Failure, type Owners, readStoredObject, type TypedKind } from '@clerk-mirror/events'
import { lockObjects } from '../apply/object-rows.js'
import { placeholders, type SqlValue, timeValue } from '../database/sql.js'
import type { Transaction } from '../database/transaction.js'
import { type Removed, type Row, removeRows, removeSyncedRows, sumOf, writeRows } from '../projections/rows.js'
import { readCounts } from './audit-log.js'
import { type Page, type PageObject, readPage } from './rebuild-page.js'

/*
 * A rebuild walks through the ids of all objects, a page to a transaction, and computes the typed rows of each page
 * from its object rows. Its position is stored in the record of the operator's action and moves with the page's own
 * transaction. Each page locks that record first: two rebuilds that run at once share the pages, and an interrupted one
 * is resumed.
 */

/** Of the whole run so far: objects read, rows written, rows removed. */
export type RebuildCounts = { objects: number; written: number; removed: number }

export type RebuildStep = { isDone: boolean; counts: RebuildCounts }

type ObjectToRebuild = {
  id: string
  kind: string
  isDeleted: boolean
  owners: Owners
  data: string | null
  syncedAtMs: number
}

/** Rebuilds the next page. @throws Failure of class `contention` when events intervened; then nothing has changed. */
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
    objects: run.counts.objects + page.objects.length,
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
  const objects = await lockPage(
    transaction,
    page.objects.filter(({ kind }) => isChosen(kind)),
    page.rows,
  )
  const written = objects.flatMap(rowsOf)
  if (written.length > 0) await writeRows(transaction, written)
  const tombstoned = objects.filter(({ isDeleted }) => isDeleted)
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
 * Locks the object rows of a page and, as apply does, those of their owners: otherwise a concurrent delete of a user
 * could remove a membership's row just before it is written again.
 */
async function lockPage(
  transaction: Transaction,
  pageObjects: readonly PageObject[],
  pageRows: Page['rows'],
): Promise<ObjectToRebuild[]> {
  const kindOfId = new Map<string, string>()
  for (const { owners } of pageObjects) {
    if (owners.userId !== null) kindOfId.set(owners.userId, 'user')
    if (owners.organizationId !== null) kindOfId.set(owners.organizationId, 'organization')
  }
  for (const { kind, clerkIds } of pageRows) for (const id of clerkIds) kindOfId.set(id, kind)
  for (const { id, kind } of pageObjects) kindOfId.set(id, kind)
  if (kindOfId.size === 0) return []
  await lockObjects(transaction, kindOfId)
  const ids = pageObjects.map(({ id }) => id)
  const rowIds = pageRows.flatMap(({ clerkIds }) => clerkIds)
  const objects = await readObjects(transaction, [...new Set([...ids, ...rowIds])].sort())
  const isLocked = (id: string | null) => id === null || kindOfId.has(id)
  if (objects.some(({ owners }) => !isLocked(owners.userId) || !isLocked(owners.organizationId))) {
    throw new Failure('contention', 'heads_moved', 'an object changed its owner before it was locked')
  }
  return objects
}

async function readObjects(transaction: Transaction, ids: readonly string[]): Promise<ObjectToRebuild[]> {
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
    owners: { userId: row.user_id, organizationId: row.organization_id },
    data: row.data,
    syncedAtMs: Number(row.synced_at),
  }))
}

/** The typed row of a living object row; none for a kind without a table. */
function rowsOf({ id, kind, isDeleted, data, syncedAtMs }: ObjectToRebuild): Row[] {
  if (isDeleted || data === null) return []
  const object = readStoredObject(kind, data)
  if (object === 'unreadable') throw new Failure('poison', 'head_unreadable', `the text of ${id} is no JSON object`)
  return object === null ? [] : [{ clerkId: id, object, syncedAtMs }]
}
