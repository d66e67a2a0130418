/** Every limit of a client of Clerk's Backend API, with its reason. docs/settings.md lists them. */

/** Objects of a page: Clerk's maximum. A larger number silently becomes 10. */
export const PAGE_OBJECTS = 500
/** Ids that Clerk looks up in one request. */
export const IDS_AT_ONCE = 100
/** Share of a page that the next one repeats where Clerk pages by offset, and rows at most: each object that is deleted
 * meanwhile moves the rows behind it forward by one. */
export const OVERLAP_SHARE = 0.1
export const OVERLAP_OBJECTS_MAX = 50
/** Objects that a position remembers of the page before it: a deleted cursor is replaced by one of those before it. */
export const RECENT_OBJECTS = 10
/** Objects of one millisecond that a position remembers besides: an import makes hundreds of them in a second. */
export const RECENT_TIES_MAX = 100
/** Cursors that are tried before a walk goes on by time of creation. */
export const CURSORS_TRIED = 3
/** Pages in a row that may bring nothing new before a walk is given up: it must not ask for ever. */
export const IDLE_PAGES_MAX = 10
/** Milliseconds before a walk's start; objects created earlier must be in the walk. Clerk's replicas lag for seconds.
 * */
export const SETTLED_MS = 60_000

/** Requests a second by default: a fifth of the rate that Clerk grants an instance, for the application spends the same
 * budget. */
export const REQUESTS_PER_SECOND = { production: 20, development: 2 } as const
/** Lowest rate that 429s can lead to, as a share of the rate at the start. */
export const RATE_SHARE_MIN = 1 / 64
/** Milliseconds that an endpoint rests after a 429 without Retry-After, doubled by each that follows; and at most, also
 * when Clerk asks for more. */
export const THROTTLED_FIRST_MS = 1_000
export const THROTTLED_MAX_MS = 300_000
/** 429s in a row for one request: with the rests, more than an hour. */
export const THROTTLED_TRIES = 20

/** Tries for one request: with the delays, some four minutes of outage are ridden out. */
export const TRIES = 10
/** Milliseconds before the second try, doubled for each further one, and at most. */
export const RETRY_FIRST_MS = 500
export const RETRY_MAX_MS = 60_000

/**
 * Milliseconds for a whole answer: a page of 500 takes less than one second, an overloaded API may take half a minute.
 */
export const ANSWER_MS = 60_000
/**
 * Bytes of an answer: 500 users with all the metadata that Clerk allows are 20 MB. A larger page is asked for in
 * halves.
 */
export const ANSWER_BYTES_MAX = 33_554_432
/** Connections at once. */
export const CONNECTIONS = 8
