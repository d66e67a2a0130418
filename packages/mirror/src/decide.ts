import { type Change, compareVersions, type EventSource, kindNamed, type Subjects } from '@clerk-mirror/events'
import type { Head, HeadWrite } from './heads.js'
import type { Outcome } from './ledger.js'

/*
 * Where duplicates, disorder and deletes are decided, for every kind alike. Pure: it sees the heads that the
 * transaction has locked, and says what they become. Events are taken in the order in which they came, each against
 * what the ones before it made of the heads, so that a batch has the same end as its events one by one.
 */
export type Decision = {
  outcomes: ReadonlyMap<string, Outcome>
  /** The last state of each head that changed. */
  writes: readonly DecidedWrite[]
}

/** A head to write, with the change that made it; a typed row is made from the same change. */
export type DecidedWrite = { head: HeadWrite; change: Change }

type Decided = { outcome: Outcome; write?: HeadWrite }

export function decide(
  claims: readonly { change: Change; source: EventSource }[],
  locked: ReadonlyMap<string, Head>,
  nowMs: number,
): Decision {
  const heads = new Map(locked)
  const outcomes = new Map<string, Outcome>()
  const writes = new Map<string, DecidedWrite>()
  for (const { change, source } of claims) {
    const { outcome, write } = decideOne(change, heads, source, nowMs)
    outcomes.set(change.version.eventId, outcome)
    if (!write) continue
    writes.set(change.objectId, { head: write, change })
    heads.set(change.objectId, { version: write.version, deleted: write.tombstone !== null })
  }
  return { outcomes, writes: [...writes.values()] }
}

function decideOne(change: Change, heads: ReadonlyMap<string, Head>, source: EventSource, nowMs: number): Decided {
  const head = heads.get(change.objectId)
  // A tombstone outranks every version, the ones after it too: Clerk never uses an id again.
  if (head?.deleted) return { outcome: 'tombstoned' }
  const { objectId: id, objectKind: kind, version } = change
  const deletedAtMs = change.happenedAtMs ?? nowMs
  if (change.deleted) {
    const tombstone = { source: source === 'reconcile' ? ('reconcile' as const) : ('clerk' as const), deletedAtMs }
    return { outcome: 'applied', write: { id, kind, version, subjects: change.subjects, tombstone, data: null } }
  }
  const subjects = livingSubjects(change, heads)
  if (subjects === null) {
    const tombstone = { source: 'parent' as const, deletedAtMs }
    return { outcome: 'tombstoned', write: { id, kind, version, subjects: change.subjects, tombstone, data: null } }
  }
  if (head?.version && compareVersions(version, head.version) <= 0) return { outcome: 'stale' }
  return { outcome: 'applied', write: { id, kind, version, subjects, tombstone: null, data: change.data } }
}

/** Whom the object is about, without whom it outlives; null when it goes with a subject that is deleted. */
function livingSubjects(change: Change, heads: ReadonlyMap<string, Head>): Subjects | null {
  const { userId, organizationId } = change.subjects
  const isDeleted = (id: string | null) => id !== null && heads.get(id)?.deleted === true
  if (isDeleted(organizationId)) return null
  if (!isDeleted(userId)) return change.subjects
  if (kindNamed(change.objectKind).whenUserIsDeleted === 'tombstone') return null
  return { userId: null, organizationId }
}
