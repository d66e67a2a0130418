import type { AskedReaction, ObjectNow } from '@clerk-mirror/mirror'
import type { Log } from '@clerk-mirror/runtime'

type What = AskedReaction['what']

/**
 * What a reaction wants to hear of: `user.created`, `organizationMembership.*`, `*` for everything; of updates also
 * those alone in which one of these top-level fields of Clerk's object changed.
 */
export type Wanted = '*' | `${string}.${What | '*'}` | { on: `${string}.updated`; fields: readonly string[] }

/**
 * Something that is done when a change has been committed: at least once, in no promised order, tried again for a day.
 * A file in this folder and a row in its index.
 */
export type Reaction = {
  /** Lower case, digits and dashes. It names the queue that its runs wait in: a new name is a new reaction. */
  name: string
  wants: readonly Wanted[]
  /** Milliseconds for one run; RUN_MS unless it says otherwise. */
  timeoutMs?: number
  /** What it throws is tried again; a Failure of class `poison` is not. Messages that it throws are never logged. */
  react: (run: Run) => Promise<void>
}

/** One try of a reaction to one change. */
export type Run = {
  /** What happened, as the mirror judged it: the first version that it held made the object `created`. */
  change: Readonly<Omit<AskedReaction, 'reaction'>>
  /** Reads the object as it is now, which may be newer than the change; null when it was deleted since, or by it. */
  object: () => Promise<CurrentObject | null>
  /** The same at every try of this reaction to this change, and no other's. */
  idempotencyKey: string
  /** From 1. */
  attempt: number
  /** Every line has the reaction and the ids. Write nothing of the object into it: it is personal data. */
  log: Log
  /** Aborted when the time is over or the worker stops: hand it to whatever takes one. */
  signal: AbortSignal
}

/** `fields`: Clerk's own object, parsed. */
export type CurrentObject = ObjectNow & { fields: Readonly<Record<string, unknown>> }
