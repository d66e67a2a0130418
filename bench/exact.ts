import { type Delivery, differences, expectedTables } from '@clerk-mirror/devstack'
import type { Stage } from './stage.js'

/** Differences that are worth printing; one is enough to know that something is wrong. */
const SHOWN = 3

/**
 * The tables hold exactly the result of these events, by the independent model: one
 * ledger row for each event, one head and one row for each user. @throws when they do not.
 */
export async function assertExact(stage: Stage, deliveries: readonly Delivery[]): Promise<void> {
  const expected = expectedTables(deliveries)
  const decided = await stage.tables.outcomesOf([...expected.eventIds])
  const undecided = [...expected.eventIds].filter((id) => !decided.has(id))
  const rows = await stage.tables.ledgerRows()
  if (undecided.length > 0) throw new Error(`the run is not valid: ${undecided.length} events were lost`)
  if (rows !== expected.eventIds.size) throw new Error(`the run is not valid: ${rows} rows in the ledger`)
  const ids = [...expected.objects.keys()]
  const found = differences(expected, await stage.tables.read(ids))
  if (found.length > 0) {
    throw new Error(`the run is not valid: ${found.length} differences: ${JSON.stringify(found.slice(0, SHOWN))}`)
  }
}

/** For a reference, which knows no versions and no final deletes: it has a ledger row for each event. */
export async function assertLedger(stage: Stage, count: number): Promise<void> {
  const [row] = await stage.database.query<{ n: bigint }[]>('SELECT COUNT(*) AS n FROM reference.webhook_events')
  if (Number(row?.n) !== count) throw new Error(`the run is not valid: the reference applied ${row?.n} of ${count}`)
}

const IDS_AT_ONCE = 5_000

/**
 * For events that the model does not know or that are too many for it: the ledger has so many rows, each object row is
 * at its object's newest event, and the typed table has a row for each. @throws when it is not so.
 */
export async function assertNewest(
  { database }: Stage,
  events: number,
  newest: ReadonlyMap<string, string>,
  table = 'users',
): Promise<void> {
  const count = async (sql: string, values: unknown[] = []) => {
    const [row] = await database.query<{ n: bigint }[]>(`SELECT COUNT(*) AS n FROM ${sql}`, values)
    return Number(row?.n)
  }
  const decided = await count("mirror.webhook_events WHERE outcome IN ('applied', 'stale')")
  if (decided !== events) throw new Error(`the run is not valid: ${decided} of ${events} events were decided`)
  const ids = [...newest.keys()]
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const some = ids.slice(from, from + IDS_AT_ONCE)
    const objects = await database.query<{ id: string; event_id: string }[]>(
      'SELECT id, event_id FROM mirror.clerk_objects WHERE id IN (?)',
      [some],
    )
    const right = objects.filter(({ id, event_id }) => newest.get(id) === event_id).length
    const rows = await count(`mirror.${table} WHERE clerk_id IN (?)`, [some])
    if (right !== some.length || rows !== some.length) {
      throw new Error(
        `the run is not valid: of ${some.length} objects ${right} are at their newest event, ${rows} have a row`,
      )
    }
  }
}
