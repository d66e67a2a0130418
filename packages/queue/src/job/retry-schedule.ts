/** One retry. `sinceFirstMs`: the running sum of the delays, from the first try to this one, without jitter. */
export type Retry = { delayMs: number; sinceFirstMs: number; outlasts: string }

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * The retries of an event of class `unknown`: with its first try eight tries, then a dead letter. They ride out a failover
 * in seconds and a bad deploy in hours: with the shortest delays that jitter makes, the last try comes 4 h 14 min after
 * the first, so that a cause which lasts four hours costs no event.
 */
export const EVENT_RETRIES = [
  { delayMs: SECOND, sinceFirstMs: SECOND, outlasts: 'a conflict between two workers' },
  { delayMs: 5 * SECOND, sinceFirstMs: 6 * SECOND, outlasts: 'a failover' },
  { delayMs: 30 * SECOND, sinceFirstMs: 36 * SECOND, outlasts: 'a restart of the database' },
  { delayMs: 2 * MINUTE, sinceFirstMs: 2 * MINUTE + 36 * SECOND, outlasts: 'a rolling deploy' },
  { delayMs: 15 * MINUTE, sinceFirstMs: 17 * MINUTE + 36 * SECOND, outlasts: 'a migration of the schema' },
  { delayMs: HOUR, sinceFirstMs: HOUR + 17 * MINUTE + 36 * SECOND, outlasts: 'a bad deploy that is rolled back' },
  { delayMs: 4 * HOUR, sinceFirstMs: 5 * HOUR + 17 * MINUTE + 36 * SECOND, outlasts: 'a bad deploy that is fixed' },
] as const satisfies readonly Retry[]

/**
 * The retries of a run of a reaction: with its first try eleven tries, then a dead letter. A receiver of reactions may be
 * down for a day and get them all: with the shortest delays that jitter makes, the last try comes 24 h 34 min after the
 * first.
 */
export const REACTION_RETRIES = [
  { delayMs: 5 * SECOND, sinceFirstMs: 5 * SECOND, outlasts: 'a lost connection' },
  { delayMs: 30 * SECOND, sinceFirstMs: 35 * SECOND, outlasts: 'a restart of the receiver' },
  { delayMs: 2 * MINUTE, sinceFirstMs: 2 * MINUTE + 35 * SECOND, outlasts: 'a rolling deploy of the receiver' },
  { delayMs: 10 * MINUTE, sinceFirstMs: 12 * MINUTE + 35 * SECOND, outlasts: 'a rate limit' },
  { delayMs: 30 * MINUTE, sinceFirstMs: 42 * MINUTE + 35 * SECOND, outlasts: 'a bad deploy that is rolled back' },
  { delayMs: 2 * HOUR, sinceFirstMs: 2 * HOUR + 42 * MINUTE + 35 * SECOND, outlasts: 'a bad deploy that is fixed' },
  { delayMs: 4 * HOUR, sinceFirstMs: 6 * HOUR + 42 * MINUTE + 35 * SECOND, outlasts: 'an outage of a provider' },
  {
    delayMs: 7 * HOUR,
    sinceFirstMs: 13 * HOUR + 42 * MINUTE + 35 * SECOND,
    outlasts: 'a night without anyone on call',
  },
  { delayMs: 8 * HOUR, sinceFirstMs: 21 * HOUR + 42 * MINUTE + 35 * SECOND, outlasts: 'an outage of most of a day' },
  { delayMs: 9 * HOUR, sinceFirstMs: 30 * HOUR + 42 * MINUTE + 35 * SECOND, outlasts: 'an outage of a day' },
] as const satisfies readonly Retry[]
