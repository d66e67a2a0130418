import type { DeadLetterFilter, DeadLetterOperations, Operations } from '@clerk-mirror/operations'
import { Refusal } from './errors.js'

/**
 * The names of a filter's parts in addresses, forms and the API; times are ISO 8601, in UTC where they name no zone.
 */
const NAMES = ['queue', 'type', 'object', 'class', 'fingerprint', 'reason', 'since', 'until'] as const
const CLASSES = ['outage', 'contention', 'blocked', 'poison', 'killer', 'unknown'] as const

/** `queue` says whose dead letters: `reactions`, or events when it is not there. */
export type FilterText = Partial<Record<(typeof NAMES)[number], string>> & { ids?: string[] }

/** The dead letters that are meant. @throws Refusal */
export function deadLettersOf({ queue = 'events' }: FilterText, operations: DeadLetters): DeadLetterOperations {
  if (queue === 'events') return operations.deadLetters
  if (queue === 'reactions') return operations.reactionDeadLetters
  throw new Refusal('invalid_request', 'The queue is events or reactions.')
}

type DeadLetters = Pick<Operations, 'deadLetters' | 'reactionDeadLetters'>

/** Without the queue, which is no filter: does it leave dead letters out? */
export const isNarrowing = ({ queue: _, ...parts }: FilterText): boolean => Object.keys(parts).length > 0

/** The parameter as it was written. @throws Refusal for a value that is no text. */
export function readFilter(source: URLSearchParams): FilterText {
  const entries = NAMES.flatMap((name) => {
    const text = source.get(name)?.trim()
    return text ? [[name, text] as const] : []
  })
  const ids = source.getAll('id').filter(Boolean)
  return { ...Object.fromEntries(entries), ...(ids.length > 0 && { ids }) }
}

/** @throws Refusal that names the invalid part. */
export function filterOf({
  ids,
  type,
  object,
  class: name,
  fingerprint,
  reason,
  since,
  until,
}: FilterText): DeadLetterFilter {
  const failureClass = CLASSES.find((each) => each === name)
  if (name !== undefined && !failureClass)
    throw new Refusal('invalid_request', `The class is one of ${CLASSES.join(', ')}.`)
  const filter: DeadLetterFilter = {
    ...(ids && { ids }),
    ...(type !== undefined && { type }),
    ...(object !== undefined && { objectId: object }),
    ...(failureClass && { class: failureClass }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(reason !== undefined && { reason }),
    ...(since !== undefined && { sinceMs: timeOf(since) }),
    ...(until !== undefined && { untilMs: timeOf(until) }),
  }
  return Object.keys(filter).length > 0 ? filter : { all: true }
}

/** The same as part of an address. */
export function queryOf({ ids = [], ...texts }: FilterText): URLSearchParams {
  const query = new URLSearchParams(texts)
  for (const id of ids) query.append('id', id)
  return query
}

const LOCAL = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/

function timeOf(text: string): number {
  const isDay = text.length === 'YYYY-MM-DD'.length
  const timeMs = Date.parse(LOCAL.test(text) && !isDay ? `${text}Z` : text)
  if (Number.isNaN(timeMs)) throw new Refusal('invalid_request', 'A time is written as 2026-01-31T04:05, in UTC.')
  return timeMs
}

/** The filter in words, for a confirmation: `type user.created, class poison`. */
export function filterInWords({ ids, queue, ...texts }: FilterText): string {
  const parts = Object.entries(texts).map(([name, text]) => `${name} ${text}`)
  const what = queue === 'reactions' ? 'run' : 'event'
  if (ids) parts.unshift(ids.length === 1 ? `${what} ${ids[0]}` : `${ids.length} selected ${what}s`)
  return parts.length > 0 ? parts.join(', ') : `all dead letters${queue === 'reactions' ? ' of reactions' : ''}`
}
