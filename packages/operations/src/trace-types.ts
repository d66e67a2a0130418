import type { Version } from '@clerk-mirror/events'
import type { Reason } from '@clerk-mirror/queue/operate'

export type Trace = EventTrace | ObjectTrace

/** A step and its time in ms. A `due` step lies ahead. */
export type TraceStep =
  /** At ingest: durable from then on. */
  | { kind: 'received'; atMs: number }
  /** Began to wait, for the first time or again. */
  | { kind: 'queued'; atMs: number }
  /** A worker took it, the last time that one did. */
  | { kind: 'started'; atMs: number }
  /** Waits for its next try. */
  | { kind: 'due'; atMs: number }
  | { kind: 'given-up'; atMs: number; reason: Reason }
  /** In the ledger: applied, stale, …, or taken out by an operator (discarded, erased). */
  | { kind: 'decided'; atMs: number; outcome: string }
  /** An operator did something to this very event or object. */
  | { kind: 'operator'; atMs: number; actor: string; action: string }

/**
 * Where an event is now. `decided`: it has left the queue, and the ledger knows its outcome. An event may be in the
 * queue and in the ledger: then it is on its way again.
 */
export type EventPlace = 'waiting' | 'active' | 'retrying' | 'dead' | 'decided'

/** A reaction to an event's change that is not done: asked for and not handed over yet, or in its queue. */
export type ReactionTrace = {
  reaction: string
  /** Its object: the event's own, or one deleted with it. */
  objectId: string
  /** Of the run, in the queue of reactions; null while it is in the outbox. */
  id: string | null
  where: 'outbox' | Exclude<EventPlace, 'decided'>
  attempts: number
  reason: Reason | null
}

/** An event's version against the stored object's; `is-stored`: the stored version came with this very event. */
export type Comparison = 'is-stored' | 'newer' | 'older' | 'deleted' | 'nothing-stored' | 'unknown'

export type EventTrace = {
  kind: 'event'
  id: string
  type: string
  objectId: string | null
  source: string
  where: EventPlace
  outcome: string | null
  attempts: number
  /** Why the last try failed, of an event that is in the queue. */
  reason: Reason | null
  /** From receipt to the table; null until it is decided. */
  lagMs: number | null
  /** Null when it is not known: the ledger keeps no payloads, and an encrypted one may have its key elsewhere. */
  version: Version | null
  /** The stored version of its object. */
  storedVersion: Version | null
  comparison: Comparison
  /**
   * A missing one is done, was not requested, or lies deep in a long outbox. Of the objects deleted with a user or
   * organization, a hundred.
   */
  reactions: ReactionTrace[]
  /** Oldest first. */
  steps: TraceStep[]
}

export type ObjectTrace = {
  kind: 'object'
  id: string
  /** user, organization, …; null when nothing is stored of it. */
  objectKind: string | null
  /** `stub`: something names it and nothing has come of it yet. */
  state: 'stored' | 'deleted' | 'stub' | 'nothing-stored'
  version: Version | null
  /** Its version is more than a day ahead: nothing that Clerk sends is newer until then. */
  isFarAhead: boolean
  /** Its owners. */
  userId: string | null
  organizationId: string | null
  /** When its object row was last written. */
  syncedAtMs: number | null
  deletedAtMs: number | null
  /** The tombstone's source: clerk, parent, reconcile, operator. */
  deletedBy: string | null
  /** The newest events that the ledger has of it, newest first. */
  events: { id: string; type: string; outcome: string; attempts: number; receivedAtMs: number; decidedAtMs: number }[]
  /** Its events in the queue; `isQueueSearched` is false when there was not time to look at all of the queue. */
  queued: { id: string; type: string; where: EventPlace; attempts: number; receivedAtMs: number }[]
  isQueueSearched: boolean
  /** Operators' actions on it, oldest first. */
  steps: TraceStep[]
}
