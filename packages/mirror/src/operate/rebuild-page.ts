import type { Owners, TypedKind } from '@clerk-mirror/events'
import type { Transaction } from '../database/transaction.js'
import { REBUILD_BATCH, REBUILD_BYTES_MAX } from '../limits.js'
import { tableOf } from '../projections/rows.js'

/** A range of ids: its object rows, without stubs, and its typed rows that were made from an object row. */
export type Page = {
  objects: readonly PageObject[]
  rows: readonly { kind: TypedKind; clerkIds: readonly string[] }[]
  /** The last id of the page; null at the end of the table. */
  upTo: string | null
}

export type PageObject = { id: string; kind: string; owners: Owners }

type ObjectSize = { id: string; kind: string; user_id: string | null; organization_id: string | null; bytes: unknown }

/**
 * The next ids after `after`, of object rows and of typed rows alike, since a row whose object row is gone is found
 * only in its own table. The list that was cut short first ends the page: after that id there may be more. Locks
 * nothing.
 */
export async function readPage(transaction: Transaction, kinds: readonly TypedKind[], after: string): Promise<Page> {
  const objects = await transaction.query<ObjectSize>(
    'SELECT id, kind, user_id, organization_id, COALESCE(LENGTH(data), 0) AS bytes FROM clerk_objects ' +
      `WHERE id > ? AND (event_id IS NOT NULL OR deleted_at IS NOT NULL) ORDER BY id LIMIT ${REBUILD_BATCH}`,
    [after],
  )
  const rows: { kind: TypedKind; clerkIds: string[] }[] = []
  for (const kind of kinds) rows.push({ kind, clerkIds: await syncedIds(transaction, tableOf(kind), after) })
  const ends = [
    ...endOf(objects.map(({ id }) => id)),
    ...endOfBytes(objects),
    ...rows.flatMap(({ clerkIds }) => endOf(clerkIds)),
  ].sort()
  const upTo = ends[0] ?? null
  const isWithin = (id: string) => upTo === null || id <= upTo
  return {
    objects: objects.filter(({ id }) => isWithin(id)).map(asPageObject),
    rows: rows.map(({ kind, clerkIds }) => ({ kind, clerkIds: clerkIds.filter(isWithin) })),
    upTo,
  }
}

/** Rows that the application made before Clerk's event came are left out: without an object row they are not ours. */
async function syncedIds(transaction: Transaction, table: string, after: string): Promise<string[]> {
  const rows = await transaction.query<{ clerk_id: string }>(
    `SELECT clerk_id FROM ${table} WHERE clerk_id > ? AND synced_at IS NOT NULL ORDER BY clerk_id LIMIT ${REBUILD_BATCH}`,
    [after],
  )
  return rows.map((row) => row.clerk_id)
}

/** Empty for a list that was not cut short. */
const endOf = (ids: readonly string[]) => (ids.length === REBUILD_BATCH ? ids.slice(-1) : [])

/** The last object row that still fits, and at least the first; empty when all fit. */
function endOfBytes(objects: readonly ObjectSize[]): string[] {
  let bytes = 0
  const tooMany = objects.findIndex((object) => {
    bytes += Number(object.bytes)
    return bytes > REBUILD_BYTES_MAX
  })
  const last = Math.max(tooMany - 1, 0)
  return tooMany === -1 ? [] : objects.slice(last, last + 1).map(({ id }) => id)
}

const asPageObject = ({ id, kind, user_id, organization_id }: ObjectSize): PageObject => ({
  id,
  kind,
  owners: { userId: user_id, organizationId: organization_id },
})
