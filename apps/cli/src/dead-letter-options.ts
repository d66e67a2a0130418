import type { DeadLetterFilter, DeadLetterOperations, DeadLetterQueue, Operations } from '@clerk-mirror/operations'
import { type Command, type Values, WrongUsage } from './command.js'

const CLASSES = ['outage', 'contention', 'blocked', 'poison', 'killer', 'unknown'] as const

/** The queue: the same option for every command. */
export const QUEUE_OPTION: Command['options'] = {
  queue: { type: 'string', doc: 'events (the default) or reactions' },
}

/** @throws WrongUsage */
export function queueOf({ queue = 'events' }: Values): DeadLetterQueue {
  if (queue === 'events' || queue === 'reactions') return queue
  throw new WrongUsage(`--queue: "${queue}" is neither events nor reactions`)
}

export const deadLettersOf = (
  values: Values,
  { deadLetters, reactionDeadLetters }: Operations,
): DeadLetterOperations => (queueOf(values) === 'events' ? deadLetters : reactionDeadLetters)

/** The filter for dead letters: the same options for every command. Parts combine. */
export const FILTER_OPTIONS: Command['options'] = {
  ...QUEUE_OPTION,
  id: { type: 'string', multiple: true, doc: 'this dead letter; may be repeated' },
  type: { type: 'string', doc: 'events of this type, such as user.created; for reactions, their name' },
  object: { type: 'string', doc: 'events about this Clerk object' },
  class: { type: 'string', doc: `dead letters of this class: ${CLASSES.join(', ')}` },
  fingerprint: { type: 'string', doc: 'dead letters of this cause, as shown by the list' },
  reason: { type: 'string', doc: 'dead letters with this text in code or message' },
  unproven: { type: 'boolean', doc: 'of class killer, those without a record of crashed workers' },
  since: { type: 'string', doc: 'given up at or after: a time (2026-01-31T04:05Z) or 30m, 2h, 1d ago' },
  until: { type: 'string', doc: 'given up at or before' },
  all: { type: 'boolean', doc: 'every dead letter' },
}

const { unproven: _, since: __, until: ___, ...OF_WAITING } = FILTER_OPTIONS
/** Which of the events that wait for their next try: no time of death narrows these. */
export const RETRY_FILTER_OPTIONS: Command['options'] = {
  ...OF_WAITING,
  class: { type: 'string', doc: `events with a last failure of this class: ${CLASSES.join(', ')}` },
  all: { type: 'boolean', doc: 'every event that waits for its next try' },
}
export const RETRY_FILTER_USAGE =
  '[--queue reactions] [--id ID …] [--type TYPE] [--object ID] [--class CLASS] [--fingerprint HEX] [--reason TEXT] [--all]'

export const FILTER_USAGE =
  '[--queue reactions] [--id ID …] [--type TYPE] [--object ID] [--class CLASS] [--fingerprint HEX] [--reason TEXT] [--unproven] [--since T] [--until T] [--all]'

/** @throws WrongUsage */
export function filterOf(values: Values, nowMs: number): DeadLetterFilter {
  queueOf(values)
  const { id, type, object, class: name, fingerprint, reason, unproven, since, until, all } = values
  const failureClass = CLASSES.find((each) => each === name)
  if (name !== undefined && !failureClass) throw new WrongUsage(`"${name}" is none of ${CLASSES.join(', ')}`)
  const filter: DeadLetterFilter = {
    ...(Array.isArray(id) && { ids: id }),
    ...(typeof type === 'string' && { type }),
    ...(typeof object === 'string' && { objectId: object }),
    ...(failureClass && { class: failureClass }),
    ...(typeof fingerprint === 'string' && { fingerprint }),
    ...(typeof reason === 'string' && { reason }),
    ...(unproven === true && { unproven }),
    ...(typeof since === 'string' && { sinceMs: timeOf('--since', since, nowMs) }),
    ...(typeof until === 'string' && { untilMs: timeOf('--until', until, nowMs) }),
  }
  if (all === true && Object.keys(filter).length > 0) throw new WrongUsage('--all goes without any other filter')
  return all === true ? { all } : filter
}

/** For commands that change something: an absent filter must not mean all. @throws WrongUsage */
export function demandFilter(values: Values, nowMs: number): DeadLetterFilter {
  const filter = filterOf(values, nowMs)
  if (Object.keys(filter).length === 0) throw new WrongUsage('choose dead letters: --id, another filter, or --all')
  return filter
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function timeOf(option: string, text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  if (count !== undefined) return nowMs - Number(count) * (UNIT_MS[unit] ?? 0)
  // A number alone would be taken for a year.
  const timeMs = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(timeMs)) throw new WrongUsage(`${option}: "${text}" is no time: 2026-01-31T04:05Z, or 30m, 2h, 1d`)
  return timeMs
}
