import { type Arrival, headsOf } from '../apply/apply.js'
import { LOCK_MEMORY_MS } from '../limits.js'
import { PROJECTIONS } from '../projections/tables.js'
import { onFreshConnection } from './connection.js'
import type { DatabaseOptions } from './database-url.js'
import { placeholders } from './sql.js'

/** A row that an event writes: its table, the key's column, and the key. */
type RowName = { table: string; column: string; id: string }

const nameOf = ({ table, id }: RowName) => `${table} ${id}`

/** The rows that applying an event locks, but for what a delete takes along. */
function rowsOf({ entry, change }: Arrival): RowName[] {
  const rows = [{ table: 'webhook_events', column: 'event_id', id: entry.eventId }]
  if (change === null) return rows
  for (const id of headsOf([change]).keys()) rows.push({ table: 'clerk_objects', column: 'id', id })
  const projection = Object.entries(PROJECTIONS).find(([kind]) => kind === change.objectKind)?.[1]
  if (projection) rows.push({ table: projection.table, column: 'clerk_id', id: change.objectId })
  return rows
}

/** Rows that other transactions hold, by name. */
export class HeldRows {
  readonly #names: ReadonlySet<string>

  constructor(names: ReadonlySet<string>) {
    this.#names = names
  }

  holds(arrival: Arrival): boolean {
    return this.#names.size > 0 && rowsOf(arrival).some((row) => this.#names.has(nameOf(row)))
  }

  and(other: HeldRows): HeldRows {
    return new HeldRows(new Set([...this.#names].filter((name) => other.#names.has(name))))
  }
}

export const NO_HELD_ROWS = new HeldRows(new Set())

/**
 * Which of the rows that a batch writes are held by others: those that are there and that a read which skips locked
 * rows does not give. It sees rows that were not committed yet. Of a server that cannot tell, none.
 */
export async function findHeldRows(options: DatabaseOptions, batch: readonly Arrival[]): Promise<HeldRows> {
  const rows = batch.flatMap(rowsOf)
  const held = new Set<string>()
  await onFreshConnection(options, async (connection) => {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
    await connection.query('START TRANSACTION')
    for (const [table, column] of new Map(rows.map((row) => [row.table, row.column]))) {
      const ids = [...new Set(rows.flatMap((row) => (row.table === table ? [row.id] : [])))]
      const select = `SELECT ${column} AS id FROM ${table} WHERE ${column} IN (${placeholders(ids.length)})`
      const there = await connection.query<{ id: string }[]>(select, ids)
      const free = await connection.query<{ id: string }[]>(`${select} FOR UPDATE SKIP LOCKED`, ids)
      const freeIds = new Set(free.map(({ id }) => id))
      for (const { id } of there) if (!freeIds.has(id)) held.add(nameOf({ table, column, id }))
    }
  }).catch(() => undefined)
  return new HeldRows(held)
}

/**
 * Events that a held row stopped come again before long, and so do others of the same objects. They are not to hold up
 * those beside them once more.
 */
export class BlockedObjects {
  readonly #untilMs = new Map<string, number>()

  add({ change }: Arrival): void {
    if (change) this.#untilMs.set(change.objectId, performance.now() + LOCK_MEMORY_MS)
  }

  has({ change }: Arrival): boolean {
    if (this.#untilMs.size === 0 || change === null) return false
    for (const [id, untilMs] of this.#untilMs) if (untilMs < performance.now()) this.#untilMs.delete(id)
    return [...headsOf([change]).keys()].some((id) => this.#untilMs.has(id))
  }
}
