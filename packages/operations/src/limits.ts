/** Every limit of the operations, with its reason. docs/settings.md lists them. */

/** Milliseconds that erase waits for a worker: the events of a killed one are released within 15 s, twice over. */
export const ERASE_PATIENCE_MS = 30_000

/** Milliseconds between looks at an event in a worker; the worker has usually finished it after the first. */
export const ERASE_LOOK_MS = 250

/** Objects and events that erase lists, of those that only mention the person: as many as a person can review. */
export const ERASE_MENTIONS_LISTED = 1_000

/**
 * Milliseconds that a list waits for the ledger; then it goes on without, and asks again no sooner than after these.
 */
export const LEDGER_MS = 1_500
export const LEDGER_RETRY_MS = 5_000

/** Objects with a version far in the future that one list shows. */
export const FUTURE_LISTED = 1_000

/** Dead letters that are moved at once: a replay keeps Redis busy for some 5 ms, a discard is one transaction for them
 * all. */
export const BULK_CHUNK = 250

/** Parts of a second into which a rate is cut: workers get an even flow instead of a wave each second. */
export const RATE_STEPS = 10

/** Causes that are listed apart: with more, the newer ones are counted in the total alone. */
export const CAUSES_MAX = 1_000

/** Minutes of activity that charts show. */
export const ACTIVITY_MINUTES = 60

/** Minutes that are read again although they were read before: a worker's transaction may commit in the next one. */
export const ACTIVITY_UNSETTLED_MINUTES = 2

/** Events of an object that its trace lists, of the ledger and of the queue each. */
export const TRACE_EVENTS = 50

/** Objects removed by the deletion of a user or organization that a trace searches for reactions. */
export const TRACE_WENT_ALONG = 100

/** Milliseconds that a trace looks through the queue for events of an object: pages want an answer in four seconds. */
export const TRACE_SEARCH_MS = 2_000

/**
 * Rows of a forgotten reaction's outbox that are removed at once: some 20 ms, and a worker that asks waits for none.
 */
export const FORGET_PAGE = 1_000

/** Ids of a filter, and characters of each of its texts, in an action's record: a page of the audit log has a thousand
 * actions, and reads all of them. */
export const RECORDED_IDS_MAX = 20
export const RECORDED_CHARS_MAX = 200

/** Milliseconds for which a comparison of the installations of queue and database serves an operator. */
export const INSTALLATION_TRUST_MS = 1_000

/** Windows of creation time that a probe counts, at most: a million users make some 4,000 in each, and the whole probe
 * stays below 300 requests. */
export const PROBE_WINDOWS_MAX = 256
/** Users that changed last whose versions a probe compares: four pages. */
export const PROBE_NEWEST = 2_000
/** Milliseconds within which an event may still be on its way: what was created or changed later is not judged. */
export const PROBE_GRACE_MS = 600_000
/** Windows that are counted a second time, and milliseconds before that: a user may be deleted between two counts. */
export const PROBE_RECOUNTS_MAX = 23
export const PROBE_RECOUNT_AFTER_MS = 10_000
/** Erased users whom Clerk is asked about when it has more than there are here: 16 requests. */
export const PROBE_ERASED_MAX = 1_600
/** Ids and windows that a report lists. */
export const REPORTED_IDS_MAX = 100
