import { eventIdOf, type FailureClass } from '@clerk-mirror/events'
import type { DeadLetter, Reason } from '@clerk-mirror/queue/operate'
import { OperationsError } from './operations-error.js'

/** Of which queue; runs of reactions are no events, and have no place in the ledger. */
export type DeadLetterQueue = 'events' | 'reactions'

/**
 * Which dead letters. Parts combine: a dead letter must match them all. A filter without parts is every dead letter.
 * Times in ms.
 */
export type DeadLetterFilter = {
  /** Event ids, or the svix-ids that Clerk's dashboard shows. */
  ids?: readonly string[]
  type?: string
  objectId?: string
  class?: FailureClass
  fingerprint?: string
  /** Text in code or message, in any case. */
  reason?: string
  /** When it was given up, both ends included. */
  sinceMs?: number
  untilMs?: number
  /** Dead letters of class `killer` without a record of the workers that died: an earlier version condemned them. */
  unproven?: true
  /** Says that every dead letter is meant: the bulk verbs refuse a filter without parts. */
  all?: true
}

/** Everything but the ids, which are looked up and not searched for. */
export function matches(filter: DeadLetterFilter, deadLetter: DeadLetter): boolean {
  const { type, objectId, class: failureClass, fingerprint, reason, sinceMs, untilMs, unproven } = filter
  const isSame = (asked: string | undefined, is: string | null) => asked === undefined || asked === is
  return (
    isSame(type, deadLetter.type) &&
    isSame(objectId, deadLetter.objectId) &&
    isSame(failureClass, deadLetter.reason.class) &&
    isSame(fingerprint, deadLetter.reason.fingerprint) &&
    (reason === undefined || says(deadLetter.reason, reason)) &&
    (!unproven || deadLetter.isUnproven) &&
    deadLetter.failedAtMs >= (sinceMs ?? Number.NEGATIVE_INFINITY) &&
    deadLetter.failedAtMs <= (untilMs ?? Number.POSITIVE_INFINITY)
  )
}

const says = ({ code, message }: Reason, text: string) =>
  [code, message].some((each) => each.toLowerCase().includes(text.toLowerCase()))

/** A bulk verb must not take a filter that lost its parts on the way for "all". @throws OperationsError */
export function demandParts({ all, ...filter }: DeadLetterFilter): void {
  if (all || Object.values(filter).some((part) => part !== undefined)) return
  throw new OperationsError('filter_empty', 'The filter is empty: choose all dead letters, or a part.')
}

/** An event that waits for its next try has not been given up. @throws OperationsError */
export function demandNoTimes({ sinceMs, untilMs }: DeadLetterFilter): void {
  if (sinceMs === undefined && untilMs === undefined) return
  throw new OperationsError(
    'filter_unfit',
    'since and until compare the time of the last failure, which these events do not have.',
  )
}

const HASHED = /^x_[\w-]{43}$/

/**
 * The event of a svix-id. A job that something else put into the queue may have any id: it is looked for by that too.
 */
export const idsOf = (id: string): string[] => (HASHED.test(id) ? [id] : [...new Set([eventIdOf(id), id])])
