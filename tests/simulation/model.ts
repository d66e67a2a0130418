import type { ExpectedMirror } from '../support/invariants.js'
import { expectedRow } from './expected-rows.js'
import type { SimulatedEvent } from './history.js'

type Body = { type: string; timestamp?: number; data: { [field: string]: unknown; id: string; updated_at?: number } }
type Told = { kind: string; deletes: boolean; names: string[]; body: Body } & Version
type Version = { updatedAtMs: number; timestampMs: number; eventId: string }

/**
 * The expected mirror once all events have arrived, in any order: the rules written a second time, independent of the
 * mirror's code.
 */
export function expectedMirror(events: readonly SimulatedEvent[]): ExpectedMirror {
  const told = events.map(read)
  const gone = new Set(told.filter(({ deletes }) => deletes).map(({ body }) => body.data.id))
  const orphaned = told.filter(({ names }) => names.some((name) => gone.has(name))).map(({ body }) => body.data.id)
  const dead = new Set([...gone, ...orphaned])
  const expected: ExpectedMirror = { objects: new Map(), rows: new Map(), outcomes: new Map() }
  for (const id of new Set(events.map(({ objectId }) => objectId))) {
    const versions = told.filter(({ body }) => body.data.id === id)
    const newest = versions.filter(({ deletes }) => !deletes).sort(newestFirst)[0]
    for (const version of versions) expected.outcomes.set(version.eventId, outcomes(version, newest, versions, dead))
    if (dead.has(id) || newest === undefined) {
      expected.objects.set(id, { deleted: true, eventIds: versions.map(({ eventId }) => eventId) })
      continue
    }
    const whom = [...versions].sort(newestFirst).map(({ kind, body }) => about(kind, body.data))
    const userId = whom.map((each) => each.userId).find((user) => user !== null && !gone.has(user)) ?? null
    const organizationId = whom.map((each) => each.organizationId).find((each) => each !== null) ?? null
    const text = JSON.stringify(newest.body.data, (key, value) => (key === 'public_inviter_data' ? null : value))
    const { kind, updatedAtMs, timestampMs, eventId } = newest
    expected.objects.set(id, {
      deleted: false,
      kind,
      updatedAtMs,
      timestampMs,
      eventId,
      userId,
      organizationId,
      data: text,
    })
    const row = expectedRow(kind, newest.body.data, about(kind, newest.body.data))
    if (row) expected.rows.set(`${row.table} ${id}`, row.columns)
  }
  return expected
}

function read({ eventId, body: text }: SimulatedEvent): Told {
  const body: Body = JSON.parse(text)
  const kind = body.type.slice(0, body.type.lastIndexOf('.'))
  const stampMs = body.timestamp === undefined || body.timestamp > 1e11 ? body.timestamp : body.timestamp * 1000
  const updatedAtMs = body.data.updated_at ?? stampMs ?? 0
  const { userId, organizationId } = about(kind, body.data)
  const names = [kind === 'organization' ? null : userId, organizationId].filter((name) => name !== null)
  const deletes = body.type.endsWith('.deleted')
  return { kind, deletes, names, body, updatedAtMs, timestampMs: stampMs ?? updatedAtMs, eventId }
}

const newestFirst = (a: Version, b: Version) =>
  b.updatedAtMs - a.updatedAtMs || b.timestampMs - a.timestampMs || (a.eventId < b.eventId ? 1 : -1)

/** The outcomes that the ledger may have for an event; several where they depend on earlier events. */
function outcomes(version: Told, newest: Told | undefined, all: readonly Told[], dead: ReadonlySet<string>): string[] {
  const isDead = dead.has(version.body.data.id)
  if (version.deletes) {
    const isOnlyDeath = all.every((other) => other === version || !(other.deletes || other.names.length > 0))
    return isOnlyDeath ? ['applied'] : ['applied', 'tombstoned']
  }
  const ifAlive = version === newest ? ['applied'] : ['applied', 'stale']
  return isDead ? [...ifAlive, 'tombstoned'] : ifAlive
}

type About = { userId: string | null; organizationId: string | null }

function about(kind: string, data: { [field: string]: unknown }): About {
  const at = (path: string) => {
    const value = path.split('.').reduce<unknown>((inner, key) => Object(inner)[key], data)
    return typeof value === 'string' && value !== '' ? value : null
  }
  const [user, organization] = WHOM[kind] ?? ['user_id', 'organization_id']
  return { userId: at(user), organizationId: at(organization) }
}

const WHOM: { readonly [kind: string]: readonly [string, string] } = {
  user: ['-', '-'],
  organization: ['created_by', '-'],
  organizationMembership: ['public_user_data.user_id', 'organization.id'],
  subscription: ['payer.user_id', 'payer.organization_id'],
}
