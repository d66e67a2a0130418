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
  /** Whom heads that stay as they are turn out to be about as well. */
  subjects: ReadonlyMap<string, Subjects>
  /** What happened to the objects, in the order of their events; what only cascades is not in it. */
  happenings: readonly Happening[]
}

/** An object that the mirror held for the first time, in another state, or for the last time. */
export type Happening = {
  what: 'created' | 'updated' | 'deleted'
  head: HeadWrite
  /** The text that the mirror held before, where the heads were read with it. */
  before: string | null
}

/** A head to write, with the change that made it; a typed row is made from the same change. */
export type DecidedWrite = { head: HeadWrite; change: Change }

type Decided = { outcome: Outcome; write?: HeadWrite; subjects?: Subjects }

export function decide(
  claims: readonly { change: Change; source: EventSource }[],
  locked: ReadonlyMap<string, Head>,
  nowMs: number,
): Decision {
  const heads = new Map(locked)
  const outcomes = new Map<string, Outcome>()
  const writes = new Map<string, DecidedWrite>()
  const subjectsOf = new Map<string, Subjects>()
  const happenings: Happening[] = []
  for (const { change, source } of claims) {
    const { outcome, write, subjects } = decideOne(change, heads, source, nowMs)
    const id = change.objectId
    outcomes.set(change.version.eventId, outcome)
    if (write) {
      const before = heads.get(id)
      const what = whatHappened(before, write, change)
      // What a backfill brings has not happened now, and mostly long ago.
      if (what && source !== 'backfill') happenings.push({ what, head: write, before: before?.data ?? null })
      writes.set(id, { head: write, change })
      subjectsOf.delete(id)
      const { version, data } = write
      heads.set(id, { version, deleted: write.tombstone !== null, subjects: write.subjects, data })
    } else if (subjects) {
      const written = writes.get(id)
      if (written) writes.set(id, { ...written, head: { ...written.head, subjects } })
      else subjectsOf.set(id, subjects)
      heads.set(id, { version: null, deleted: false, data: null, ...heads.get(id), subjects })
    }
  }
  return { outcomes, writes: [...writes.values()], subjects: subjectsOf, happenings }
}

/**
 * Clerk's delete counts also of an object that was never held, for others may know it from elsewhere. One that is a
 * tombstone from its first event on, for its user is deleted, never was there: nothing happened.
 */
function whatHappened(before: Head | undefined, write: HeadWrite, change: Change): Happening['what'] | null {
  const wasHeld = before?.version != null
  if (write.tombstone) return change.deleted || wasHeld ? 'deleted' : null
  return wasHeld ? 'updated' : 'created'
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
  const isNewest = !head?.version || compareVersions(version, head.version) > 0
  const stored = head?.subjects ?? NOBODY
  // Whom any version named, an older one included: were it only the newest, an object would or would not go with a
  // deleted user depending on which of its events came first.
  const named = isNewest ? either(change.subjects, stored) : either(stored, change.subjects)
  const subjects = livingSubjects(kind, named, heads)
  if (subjects === null) {
    const tombstone = { source: 'parent' as const, deletedAtMs }
    return { outcome: 'tombstoned', write: { id, kind, version, subjects: named, tombstone, data: null } }
  }
  if (isNewest)
    return { outcome: 'applied', write: { id, kind, version, subjects, tombstone: null, data: change.data } }
  const isKnown = subjects.userId === stored.userId && subjects.organizationId === stored.organizationId
  return isKnown ? { outcome: 'stale' } : { outcome: 'stale', subjects }
}

const NOBODY: Subjects = { userId: null, organizationId: null }

const either = (first: Subjects, second: Subjects): Subjects => ({
  userId: first.userId ?? second.userId,
  organizationId: first.organizationId ?? second.organizationId,
})

/** Whom the object is about, without whom it outlives; null when it goes with a subject that is deleted. */
function livingSubjects(kind: string, named: Subjects, heads: ReadonlyMap<string, Head>): Subjects | null {
  const { userId, organizationId } = named
  const isDeleted = (id: string | null) => id !== null && heads.get(id)?.deleted === true
  if (isDeleted(organizationId)) return null
  if (!isDeleted(userId)) return named
  if (kindNamed(kind).whenUserIsDeleted === 'tombstone') return null
  return { userId: null, organizationId }
}
