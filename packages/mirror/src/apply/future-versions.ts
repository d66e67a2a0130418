import type { Change, Version } from '@clerk-mirror/events'
import { FUTURE_MS } from '../limits.js'
import type { Decision } from './decide.js'
import type { LockedObject } from './object-rows.js'

/*
 * A version far in the future wins like any other, because the order of versions must not depend on any clock. But
 * nothing that Clerk sends is newer until that time, so it is reported: when it is written, and when an event turns out
 * stale against it, which also finds objects that received such a version before reports existed.
 */

/** `updatedAtMs`: of the stored version. */
export type FutureVersion = { objectId: string; kind: string; eventId: string; updatedAtMs: number }

type Claim = { change: Change; receivedAtMs: number }

/** The objects of a batch that now have a version ahead of this process' clock and of ingest's. */
export function futureVersionsOf(
  claims: readonly Claim[],
  locked: ReadonlyMap<string, LockedObject>,
  { outcomes, writes }: Decision,
  nowMs: number,
): FutureVersion[] {
  const found = new Map<string, FutureVersion>()
  const add = (objectId: string, kind: string, { eventId, updatedAtMs }: Version) =>
    found.set(objectId, { objectId, kind, eventId, updatedAtMs })
  for (const { row } of writes) {
    const { updatedAtMs, eventId } = row.version
    if (row.tombstone || updatedAtMs <= nowMs + FUTURE_MS) continue
    const receivedAtMs = claims.find(({ change }) => change.version.eventId === eventId)?.receivedAtMs ?? 0
    if (updatedAtMs > receivedAtMs + FUTURE_MS) add(row.id, row.kind, row.version)
  }
  for (const { change } of claims) {
    const version = locked.get(change.objectId)?.version
    const isAhead = version && version.updatedAtMs > nowMs + FUTURE_MS
    if (isAhead && outcomes.get(change.version.eventId) === 'stale') add(change.objectId, change.objectKind, version)
  }
  return [...found.values()]
}
