import { type Change, compareVersions, type EventSource, kindNamed, type Owners } from '@clerk-mirror/events'
import type { Outcome } from './ledger.js'
import type { LockedObject, ObjectRow } from './object-rows.js'

/*
 * Duplicates, disorder and deletes are decided here, for every kind alike. Pure: from the object rows that the
 * transaction has locked it computes the rows to write. Events are taken in their order in the batch, each against the
 * rows as the events before it left them, so that a batch ends as its events would one by one.
 */
export type Decision = {
  outcomes: ReadonlyMap<string, Outcome>
  /** The last state of each object row that changed. */
  writes: readonly DecidedRow[]
  /** Owners to add to object rows that otherwise stay as they are. */
  owners: ReadonlyMap<string, Owners>
  /** The transitions of the objects, in the order of their events; objects that only cascade are not among them. */
  transitions: readonly Transition[]
}

/** An object that the mirror held for the first time, in another state, or for the last time. */
export type Transition = {
  what: 'created' | 'updated' | 'deleted'
  row: ObjectRow
  /** The text that the mirror held before, where it was read with the object row. */
  before: string | null
}

/** An object row to write, with the change that made it; a typed row is made from the same change. */
export type DecidedRow = { row: ObjectRow; change: Change }

type SingleDecision = { outcome: Outcome; write?: ObjectRow; owners?: Owners }

export function decide(
  claims: readonly { change: Change; source: EventSource }[],
  locked: ReadonlyMap<string, LockedObject>,
  nowMs: number,
): Decision {
  const objects = new Map(locked)
  const outcomes = new Map<string, Outcome>()
  const writes = new Map<string, DecidedRow>()
  const ownersOf = new Map<string, Owners>()
  const transitions: Transition[] = []
  for (const { change, source } of claims) {
    const { outcome, write, owners } = decideOne(change, objects, source, nowMs)
    const id = change.objectId
    outcomes.set(change.version.eventId, outcome)
    if (write) {
      const before = objects.get(id)
      const what = transitionOf(before, write, change)
      // A backfilled object has not changed now, and mostly changed long ago.
      if (what && source !== 'backfill') transitions.push({ what, row: write, before: before?.data ?? null })
      writes.set(id, { row: write, change })
      ownersOf.delete(id)
      const { version, data } = write
      objects.set(id, { version, deleted: write.tombstone !== null, owners: write.owners, data })
    } else if (owners) {
      const written = writes.get(id)
      if (written) writes.set(id, { ...written, row: { ...written.row, owners } })
      else ownersOf.set(id, owners)
      objects.set(id, { version: null, deleted: false, data: null, ...objects.get(id), owners })
    }
  }
  return { outcomes, writes: [...writes.values()], owners: ownersOf, transitions }
}

/**
 * Clerk's delete counts even for an object that was never held, because other systems may know it from elsewhere. An
 * object whose first event already finds its user deleted was never there: no transition.
 */
function transitionOf(before: LockedObject | undefined, write: ObjectRow, change: Change): Transition['what'] | null {
  const wasHeld = before?.version != null
  if (write.tombstone) return change.deleted || wasHeld ? 'deleted' : null
  return wasHeld ? 'updated' : 'created'
}

function decideOne(
  change: Change,
  objects: ReadonlyMap<string, LockedObject>,
  source: EventSource,
  nowMs: number,
): SingleDecision {
  const object = objects.get(change.objectId)
  // A tombstone outranks every version, later ones included: Clerk never reuses an id.
  if (object?.deleted) return { outcome: 'tombstoned' }
  const { objectId: id, objectKind: kind, version } = change
  const deletedAtMs = change.happenedAtMs ?? nowMs
  if (change.deleted) {
    const tombstone = { source: source === 'reconcile' ? ('reconcile' as const) : ('clerk' as const), deletedAtMs }
    return { outcome: 'applied', write: { id, kind, version, owners: change.owners, tombstone, data: null } }
  }
  const isNewest = !object?.version || compareVersions(version, object.version) > 0
  const stored = object?.owners ?? NO_OWNERS
  // The owners that any version named, an older one included. If only the newest counted, whether an object goes with a
  // deleted user would depend on the order of its events.
  const named = isNewest ? either(change.owners, stored) : either(stored, change.owners)
  const owners = livingOwners(kind, named, objects)
  if (owners === null) {
    const tombstone = { source: 'parent' as const, deletedAtMs }
    return { outcome: 'tombstoned', write: { id, kind, version, owners: named, tombstone, data: null } }
  }
  if (isNewest) return { outcome: 'applied', write: { id, kind, version, owners, tombstone: null, data: change.data } }
  const isKnown = owners.userId === stored.userId && owners.organizationId === stored.organizationId
  return isKnown ? { outcome: 'stale' } : { outcome: 'stale', owners }
}

const NO_OWNERS: Owners = { userId: null, organizationId: null }

const either = (first: Owners, second: Owners): Owners => ({
  userId: first.userId ?? second.userId,
  organizationId: first.organizationId ?? second.organizationId,
})

/** The owners of an object, without those that it outlives; null when it is deleted together with one of them. */
function livingOwners(kind: string, named: Owners, objects: ReadonlyMap<string, LockedObject>): Owners | null {
  const { userId, organizationId } = named
  const isDeleted = (id: string | null) => id !== null && objects.get(id)?.deleted === true
  if (isDeleted(organizationId)) return null
  if (!isDeleted(userId)) return named
  if (kindNamed(kind).whenUserIsDeleted === 'tombstone') return null
  return { userId: null, organizationId }
}
