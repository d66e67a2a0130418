/** Every limit of the mirror, with its reason. docs/settings.md lists them. */

/** Deadlocks are rare and short: a batch that loses five in a row has a different problem. */
export const CONTENTION_TRIES = 5

/** Milliseconds, the maximum of a random pause before a batch that lost a lock is tried again; doubled for each try. */
export const CONTENTION_PAUSE_MS = 20

/**
 * Milliseconds that a batch goes on waiting for held rows after its first wait was in vain. Then the rest of its
 * events, if their held row is still not found, are blocked too, and come again.
 */
export const LOCK_PATIENCE_MS = 12_000

/**
 * Milliseconds that events of an object are applied apart from others after a held row stopped one: such an event comes
 * again after 30 s.
 */
export const LOCK_MEMORY_MS = 60_000

/** Typed rows that one statement removes: an organization may have more members than a packet holds ids. */
export const REMOVE_BATCH = 5_000

/** Objects that one transaction rebuilds: their rows are locked for some 100 ms, and events for them wait that long. */
export const REBUILD_BATCH = 250

/** Bytes of stored text in one such transaction: escaping at most doubles them, and a packet holds 16 MiB. */
export const REBUILD_BYTES_MAX = 4 * 1024 * 1024

/**
 * Objects that an erasure searches with one statement: their texts, some 2 KB each, are read in a tenth of a second.
 */
export const ERASE_SEARCH_PAGE = 1_000

/** Objects that an erasure removes in one transaction. Their rows are locked meanwhile, for some 100 ms. */
export const ERASE_BATCH = 500

/** Milliseconds until the application's own constraints are looked up again: they are added by hand. */
export const FOREIGN_CONSTRAINTS_KEPT_MS = 60_000

/** Milliseconds that a transaction may wait for a connection of the pool. */
export const TRANSACTION_WAIT_MS = 5_000

/** Milliseconds for one batch: several lock waits of 3 s, and still a wait that callers accept. */
export const TRANSACTION_MS = 20_000

/**
 * Share of the server's max_allowed_packet that a batch's texts may have: escaping doubles them, and one character may
 * be several bytes on the server. Servers take 64, 16, 4 or 1 MiB, and close the connection on more.
 */
export const PACKET_SHARE = 0.25

/**
 * Milliseconds that a version may be ahead of the clocks: more than any two machines of a sane installation differ, and
 * more than a wrong time zone makes up.
 */
export const FUTURE_MS = 24 * 60 * 60 * 1_000
/** Noted future versions that one query reads. */
export const FUTURE_LOOKED = 10_000

/** Objects that are counted for the progress of a rebuild; beyond, the server's estimate serves. */
export const OBJECTS_COUNTED = 100_000

/** Rows of the outbox in one statement: an organization may have more members than a packet of 1 MiB holds rows. */
export const OUTBOX_ROWS = 1_000

/** Rows of the outbox that are counted: beyond, a count would take longer than its reader wants to wait. */
export const OUTBOX_COUNTED = 100_000

/** Reactions of one event that a trace lists while they are in the outbox. */
export const OUTBOX_LISTED = 100

/** Objects that an operator asks a reaction for in one transaction: their object rows are locked for some 20 ms. */
export const BACKFILL_BATCH = 500

/** Users whose times of creation are read at once: a row is small, and a transaction stays short. */
export const USER_TIMES_AT_ONCE = 5_000
/** Users whose texts are read at once to compare them with Clerk's. */
export const PROBED_AT_ONCE = 128
/** Erasures that are looked up at once. */
export const ERASURES_AT_ONCE = 500
