/*
 * The oracle: the invariants of the mirror's tables, for any writer. It asks the database alone and shares no code with
 * the mirror. The expected tables come from a model, as `ExpectedMirror`.
 */

/** A row with every value as text: times as `2026-11-23T05:41:00.123000` in UTC, flags as 0 and 1. */
export type TextRow = { readonly [column: string]: string | null }
/** All rows of each table, in the order of their primary key. */
export type MirrorTables = ReadonlyMap<string, readonly TextRow[]>
export type Query = <Row>(sql: string, params?: unknown[]) => Promise<Row[]>

export type ExpectedObject =
  /** The first of several deletes gives a tombstone its version, and the order of arrival decides which that is. */
  | { deleted: true; eventIds: readonly string[] }
  | {
      deleted: false
      kind: string
      updatedAtMs: number
      timestampMs: number
      eventId: string
      userId: string | null
      organizationId: string | null
      data: string
    }

export type ExpectedMirror = {
  objects: Map<string, ExpectedObject>
  /** Typed rows by `table clerk_id`; a column that is not named may hold anything. */
  rows: Map<string, TextRow>
  /** Of each event, the outcomes that its one ledger row may have. */
  outcomes: Map<string, readonly string[]>
}

/** The application's own values in a user's row and blocks. */
export type OwnData = { tagline: string; blocks: readonly string[] }

/** One thing that is not as it must be. `object` is a Clerk id, an event id or a place. */
export type Violation = { invariant: string; object: string; what: string; expected: string; found: string }

export type Oracle = {
  tableNames: readonly string[]
  tables: () => Promise<MirrorTables>
  /** I3: where any of these texts stands, in any text column of any table. */
  traces: (markers: readonly string[]) => Promise<Violation[]>
  /** I5: asked at any moment, also while the mirror is being written. */
  halfCommitted: () => Promise<Violation[]>
}

type Column = { table: string; name: string; type: string; isKey: boolean }

/** Reads the names of all tables and columns: a new one is watched without a change here. */
export async function openOracle(query: Query): Promise<Oracle> {
  const columns = await query<Column>(
    `SELECT c.table_name AS \`table\`, c.column_name AS name, c.data_type AS type, c.column_key = 'PRI' AS isKey
     FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (table_schema, table_name)
     WHERE table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND table_name <> '_prisma_migrations'
     ORDER BY table_name, c.ordinal_position`,
  )
  const names = [...new Set(columns.map(({ table }) => table))]
  const of = (table: string) => columns.filter((column) => column.table === table)
  return {
    tableNames: names,
    async tables() {
      const tables = new Map<string, TextRow[]>()
      for (const table of names) tables.set(table, await query<TextRow>(allRows(table, of(table))))
      return tables
    },
    async traces(markers) {
      const found: Violation[] = []
      for (const table of markers.length > 0 ? names : []) found.push(...(await tracesIn(query, of(table), markers)))
      return found
    },
    halfCommitted: async () => (await query<HalfCommitted>(HALF_COMMITTED)).map(halfCommitted),
  }
}

function allRows(table: string, columns: readonly Column[]): string {
  const asText = ({ name, type }: Column) =>
    `${type === 'datetime' ? `DATE_FORMAT(\`${name}\`, '%Y-%m-%dT%T.%f')` : `CAST(\`${name}\` AS CHAR)`} AS \`${name}\``
  const keys = columns.filter(({ isKey }) => Number(isKey) === 1).map(({ name }) => `\`${table}\`.\`${name}\``)
  return `SELECT ${columns.map(asText).join(', ')} FROM \`${table}\` ORDER BY ${keys.join(', ')}`
}

const TEXT_TYPE = /char|text|json|enum|set|blob|binary/

async function tracesIn(query: Query, columns: readonly Column[], markers: readonly string[]): Promise<Violation[]> {
  const texts = columns.filter(({ type }) => TEXT_TYPE.test(type))
  const table = columns[0]?.table
  if (texts.length === 0 || table === undefined) return []
  const asText = texts.map(({ name }) => `CONVERT(\`${name}\` USING utf8mb4) AS \`${name}\``)
  // The search runs on the server for all markers at once, and here for the few rows that it finds.
  const anywhere = `CONCAT_WS(' ', ${texts.map(({ name }) => `CONVERT(\`${name}\` USING utf8mb4)`).join(', ')})`
  const pattern = markers.map((marker) => marker.replaceAll(/[^A-Za-z0-9_-]/g, (odd) => `[${odd}]`)).join('|')
  const sql = `SELECT ${asText.join(', ')} FROM \`${table}\` WHERE ${anywhere} REGEXP ?`
  const rows = await query<TextRow>(sql, [pattern])
  return rows.flatMap((row) =>
    Object.entries(row).flatMap(([column, value]) =>
      markers
        .filter((marker) => value?.includes(marker))
        .map((marker) => violation('I3', marker, `${table}.${column} holds a value of a deleted object`, '', value)),
    ),
  )
}

type HalfCommitted = { id: string; what: string }

// One statement, and so one snapshot. An object row is no stub once an event made it, or a tombstone.
const HALF_COMMITTED = `
  SELECT h.id, 'the object row names an event that the ledger lacks' AS what
  FROM clerk_objects h LEFT JOIN webhook_events e ON e.event_id = h.event_id
  WHERE h.event_id IS NOT NULL AND e.event_id IS NULL
  UNION ALL
  SELECT e.event_id, 'the ledger shows an event that is not decided' FROM webhook_events e WHERE e.outcome = 'pending'
  UNION ALL
  SELECT e.event_id, 'the ledger says applied, and the object has no object row'
  FROM webhook_events e LEFT JOIN clerk_objects h ON h.id = e.object_id
  WHERE e.outcome = 'applied' AND h.event_id IS NULL`

const halfCommitted = ({ id, what }: HalfCommitted) => violation('I5', id, what, 'committed together', 'one without')

const violation = (invariant: string, object: string, what: string, expected: unknown, found: unknown): Violation => ({
  invariant,
  object,
  what,
  expected: String(expected),
  found: String(found),
})

/** I2: the object rows equal the model's, and there are no others. A stub does not count. */
export function wrongObjects(expected: ExpectedMirror['objects'], tables: MirrorTables): Violation[] {
  const rows = (tables.get('clerk_objects') ?? []).filter(
    (row) => row['event_id'] !== null || row['deleted_at'] !== null,
  )
  const found = new Map(rows.map((row) => [row['id'] ?? '', row]))
  const wrong: Violation[] = []
  for (const id of new Set([...expected.keys(), ...found.keys()])) {
    const [want, have] = [expected.get(id), found.get(id)]
    if (!want || !have)
      wrong.push(violation('I2', id, 'object row', want ? 'an object row' : 'none', have ? 'an object row' : 'none'))
    else if (want.deleted) wrong.push(...wrongTombstone(id, want.eventIds, have))
    else wrong.push(...wrongColumns(`${id}`, { ...columnsOf(want), deleted_at: null, tombstone_source: null }, have))
  }
  return wrong
}

const columnsOf = (object: Extract<ExpectedObject, { deleted: false }>): TextRow => ({
  kind: object.kind,
  updated_at_ms: String(object.updatedAtMs),
  timestamp_ms: String(object.timestampMs),
  event_id: object.eventId,
  user_id: object.userId,
  organization_id: object.organizationId,
  data: object.data,
})

function wrongTombstone(id: string, eventIds: readonly string[], object: TextRow): Violation[] {
  if (object['deleted_at'] === null) return [violation('I2', id, 'object row', 'a tombstone', 'alive')]
  if (object['data'] !== null) return [violation('I3', id, 'data of a tombstone', null, object['data'])]
  if (eventIds.includes(object['event_id'] ?? '')) return []
  return [violation('I2', id, 'event_id of a tombstone', `one of ${eventIds.join(' ')}`, object['event_id'])]
}

function wrongColumns(object: string, want: TextRow, have: TextRow): Violation[] {
  return Object.keys(want).flatMap((column) =>
    want[column] === have[column] ? [] : [violation('I2', object, column, want[column], have[column])],
  )
}

const TYPED_TABLES = [
  'users',
  'organizations',
  'organization_memberships',
  'organization_invitations',
  'organization_domains',
]

/**
 * I2: the typed rows follow their heads. A user's row that only the application has made (`synced_at` NULL) is not one.
 */
export function wrongRows(expected: ExpectedMirror['rows'], tables: MirrorTables): Violation[] {
  const found = new Map<string, TextRow>()
  for (const table of TYPED_TABLES) {
    const synced = (tables.get(table) ?? []).filter((row) => row['synced_at'] !== null)
    for (const row of synced) found.set(`${table} ${row['clerk_id']}`, row)
  }
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((key) => {
    const [want, have] = [expected.get(key), found.get(key)]
    if (want && have) return wrongColumns(key, want, have)
    return [violation('I2', key, 'typed row', want ? 'a row' : 'none', have ? 'a row' : 'none')]
  })
}

/** Every event has exactly one ledger row, and the ledger no other. */
export function wrongLedger(expected: ExpectedMirror['outcomes'], tables: MirrorTables): Violation[] {
  const rows = tables.get('webhook_events') ?? []
  const found = new Map(rows.map((row) => [row['event_id'] ?? '', row['outcome'] ?? '']))
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((eventId) => {
    const [allowed, outcome] = [expected.get(eventId), found.get(eventId)]
    if (outcome !== undefined && allowed?.includes(outcome)) return []
    return [violation('ledger', eventId, 'outcome', allowed?.join(' or ') ?? 'no row', outcome ?? 'no row')]
  })
}

/** I4: the application's own values survive every sync, and go with their user. `own` is by the user's Clerk id. */
export function wrongOwnData(own: ReadonlyMap<string, OwnData>, tables: MirrorTables): Violation[] {
  const users = tables.get('users') ?? []
  const blocks = tables.get('blocks') ?? []
  const wrong: Violation[] = []
  for (const clerkId of new Set([...own.keys(), ...users.map((row) => row['clerk_id'] ?? '')])) {
    const row = users.find((user) => user['clerk_id'] === clerkId)
    const ownBlocks = row ? blocks.filter((block) => block['user_id'] === row['id']) : []
    const want = own.get(clerkId)
    const labels = ownBlocks.map((block) => block['label']).sort()
    const [wanted, had] = [JSON.stringify([...(want?.blocks ?? [])].sort()), JSON.stringify(labels)]
    if (want && want.tagline !== row?.['tagline'])
      wrong.push(violation('I4', clerkId, 'tagline', want.tagline, row?.['tagline']))
    if (wanted !== had) wrong.push(violation('I4', clerkId, 'blocks', wanted, had))
  }
  const userIds = new Set(users.map((row) => row['id']))
  const orphans = blocks.filter((block) => !userIds.has(block['user_id'] ?? null))
  return [...wrong, ...orphans.map((block) => violation('I3', `block ${block['id']}`, 'its user', 'a row', 'none'))]
}

/** I4: the differences between two readings. */
export function changesBetween(
  before: MirrorTables,
  after: MirrorTables,
  exceptTables: readonly string[] = [],
): Violation[] {
  const watched = [...before.keys()].filter((table) => !exceptTables.includes(table))
  return watched.flatMap((table) => {
    const [old, fresh] = [before, after].map((tables) => tables.get(table)?.map((row) => JSON.stringify(row)) ?? [])
    const [known, found] = [new Set(old), new Set(fresh)]
    const lost = old?.filter((row) => !found.has(row)) ?? []
    const added = fresh?.filter((row) => !known.has(row)) ?? []
    const changes = Array.from({ length: Math.max(lost.length, added.length) }, (_, index) => index)
    return changes.map((index) =>
      violation(
        'I4',
        table,
        'changed by what had been applied before',
        lost[index] ?? 'no row',
        added[index] ?? 'no row',
      ),
    )
  })
}
