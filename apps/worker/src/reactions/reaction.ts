import type { ObjectNow, ReactionRequest } from '@clerk-mirror/mirror'
import type { Log } from '@clerk-mirror/runtime'

type What = ReactionRequest['what']

/**
 * A filter on changes: `user.created`, `organizationMembership.*`, `*` for everything; for updates also only those in
 * which one of these top-level fields of Clerk's object changed.
 */
export type Wanted = '*' | `${string}.${What | '*'}` | { on: `${string}.updated`; fields: readonly string[] }

/**
 * Work to do after a change has been committed: at least once, in no promised order, retried for a day. Each is a file
 * in this folder and an entry in its index.
 */
export type Reaction = {
  /** Lower case, digits and dashes. It names the queue that its runs wait in: a new name is a new reaction. */
  name: string
  wants: readonly Wanted[]
  /** Milliseconds for one run; RUN_MS by default. */
  timeoutMs?: number
  /**
   * A thrown error leads to a retry, except a Failure of class `poison`. Messages of thrown errors are never logged.
   */
  react: (run: ReactionRun) => Promise<void>
}

/** One try of a reaction to one change. */
export type ReactionRun = {
  /** The change, as the mirror judged it: the first version that it held made the object `created`. */
  change: Readonly<Omit<ReactionRequest, 'reaction'>>
  /**
   * Reads the object in its present state, which may be newer than the change; null when it was deleted since, or by
   * it.
   */
  object: () => Promise<CurrentObject | null>
  /** Equal for every try of this reaction to this change, and unique to them. */
  idempotencyKey: string
  /** From 1. */
  attempt: number
  /** Every line has the reaction and the ids. Log no part of the object: it is personal data. */
  log: Log
  /** Aborted on timeout or when the worker stops: pass it to every call that takes one. */
  signal: AbortSignal
}

/** `fields`: Clerk's own object, parsed. */
export type CurrentObject = ObjectNow & { fields: Readonly<Record<string, unknown>> }
