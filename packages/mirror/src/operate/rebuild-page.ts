import type { Subjects, TypedKind } from '@clerk-mirror/events'
import type { Transaction } from '../database/transaction.js'
import { REBUILD_BATCH, REBUILD_BYTES_MAX } from '../limits.js'
import { tableOf } from '../projections/rows.js'

/** What lies between two ids: the heads there, without stubs, and the typed rows there that were made from a head. */
export type Page = {
  heads: readonly PageHead[]
  rows: readonly { kind: TypedKind; clerkIds: readonly string[] }[]
  /** The last id of the page; null when nothing lies behind it. */
  upTo: string | null
}

export type PageHead = { id: string; kind: string; subjects: Subjects }

type HeadRow = { id: string; kind: string; user_id: string | null; organization_id: string | null; bytes: unknown }

/**
 * The next ids after `after`, of heads and of typed rows alike, since a row whose head is gone is found in its own
 * table alone. Whichever list was cut short says where the page ends: behind its end there may be more. Locks nothing.
 */
export async function readPage(transaction: Transaction, kinds: readonly TypedKind[], after: string): Promise<Page> {
  const heads = await transaction.query<HeadRow>(
    'SELECT id, kind, user_id, organization_id, COALESCE(LENGTH(data), 0) AS bytes FROM clerk_objects ' +
      `WHERE id > ? AND (event_id IS NOT NULL OR deleted_at IS NOT NULL) ORDER BY id LIMIT ${REBUILD_BATCH}`,
    [after],
  )
  const rows: { kind: TypedKind; clerkIds: string[] }[] = []
  for (const kind of kinds) rows.push({ kind, clerkIds: await syncedIds(transaction, tableOf(kind), after) })
  const ends = [
    ...endOf(heads.map(({ id }) => id)),
    ...endOfBytes(heads),
    ...rows.flatMap(({ clerkIds }) => endOf(clerkIds)),
  ].sort()
  const upTo = ends[0] ?? null
  const isWithin = (id: string) => upTo === null || id <= upTo
  return {
    heads: heads.filter(({ id }) => isWithin(id)).map(asPageHead),
    rows: rows.map(({ kind, clerkIds }) => ({ kind, clerkIds: clerkIds.filter(isWithin) })),
    upTo,
  }
}

/** Rows that the application made before Clerk's event came are left out: without a head they are not ours. */
async function syncedIds(transaction: Transaction, table: string, after: string): Promise<string[]> {
  const rows = await transaction.query<{ clerk_id: string }>(
    `SELECT clerk_id FROM ${table} WHERE clerk_id > ? AND synced_at IS NOT NULL ORDER BY clerk_id LIMIT ${REBUILD_BATCH}`,
    [after],
  )
  return rows.map((row) => row.clerk_id)
}

/** Empty for a list that was not cut short. */
const endOf = (ids: readonly string[]) => (ids.length === REBUILD_BATCH ? ids.slice(-1) : [])

/** The last head that still fits, and at least the first; empty when all do. */
function endOfBytes(heads: readonly HeadRow[]): string[] {
  let bytes = 0
  const tooMany = heads.findIndex((head) => {
    bytes += Number(head.bytes)
    return bytes > REBUILD_BYTES_MAX
  })
  const last = Math.max(tooMany - 1, 0)
  return tooMany === -1 ? [] : heads.slice(last, last + 1).map(({ id }) => id)
}

const asPageHead = ({ id, kind, user_id, organization_id }: HeadRow): PageHead => ({
  id,
  kind,
  subjects: { userId: user_id, organizationId: organization_id },
})
