import { onFreshConnection } from '../database/connection.js'
import type { DatabaseOptions } from '../database/database-url.js'
import { placeholders } from '../database/sql.js'
import { LOCK_MEMORY_MS } from '../limits.js'
import { PROJECTIONS } from '../projections/tables.js'
import { type DecodedEvent, objectsToLock } from './apply.js'

/** A row that an event writes: its table, the key's column, and the key. */
type RowName = { table: string; column: string; id: string }

const nameOf = ({ table, id }: RowName) => `${table} ${id}`

/** The rows that applying an event locks, except those that a delete cascades to. */
function rowsOf({ entry, change }: DecodedEvent): RowName[] {
  const rows = [{ table: 'webhook_events', column: 'event_id', id: entry.eventId }]
  if (change === null) return rows
  for (const id of objectsToLock([change]).keys()) rows.push({ table: 'clerk_objects', column: 'id', id })
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

  holds(event: DecodedEvent): boolean {
    return this.#names.size > 0 && rowsOf(event).some((row) => this.#names.has(nameOf(row)))
  }

  and(other: HeldRows): HeldRows {
    return new HeldRows(new Set([...this.#names].filter((name) => other.#names.has(name))))
  }
}

export const NO_HELD_ROWS = new HeldRows(new Set())

/**
 * The rows of a batch that other transactions hold: rows that exist and that a read which skips locked rows does not
 * return. Sees uncommitted rows too. Empty on a server that cannot tell.
 */
export async function findHeldRows(options: DatabaseOptions, batch: readonly DecodedEvent[]): Promise<HeldRows> {
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
 * An event that a held row stopped comes again before long, and so do other events of the same object. They must not
 * delay their whole batch once more.
 */
export class BlockedObjects {
  readonly #untilMs = new Map<string, number>()

  add({ change }: DecodedEvent): void {
    if (change) this.#untilMs.set(change.objectId, performance.now() + LOCK_MEMORY_MS)
  }

  has({ change }: DecodedEvent): boolean {
    if (this.#untilMs.size === 0 || change === null) return false
    for (const [id, untilMs] of this.#untilMs) if (untilMs < performance.now()) this.#untilMs.delete(id)
    return [...objectsToLock([change]).keys()].some((id) => this.#untilMs.has(id))
  }
}
