const SECOND_MS = 1_000

/** Handshake, TLS and session settings over a continent take well under a second; a dead host must not hold a probe. */
export const CONNECT_TIMEOUT_MS = 3 * SECOND_MS

/** A wait for the pool lasts this much longer than a connect, so that it ends with the cause of a failed one. */
export const ACQUIRE_MARGIN_MS = 2 * SECOND_MS

/** No answer for this long means a frozen server: it is three times the longest that a healthy one lets a lock wait. */
export const SOCKET_TIMEOUT_MS = 10 * SECOND_MS

/** A batch that waits longer for a row is better tried again than holding its own rows meanwhile. */
export const LOCK_WAIT_TIMEOUT_S = 3

/**
 * The minimum that MySQL takes: where another transaction is known to hold a row, the other events must not wait for
 * it.
 */
export const SHORT_LOCK_WAIT_TIMEOUT_S = 1

/** A statement that changes many rows waits for busy ones: when it gives up, the migration stays half done. */
export const MIGRATION_LOCK_WAIT_TIMEOUT_S = 60

/**
 * The server drops a session that is silent this long: otherwise a frozen worker would hold its row locks for hours.
 */
export const SESSION_WAIT_TIMEOUT_S = 15

/** Below the two time-outs above: the pool lets go of an idle connection before either end breaks it. */
export const POOL_IDLE_TIMEOUT_S = 8

/**
 * A server that was demoted in a failover refuses no reads: processes that only read find the new primary within a
 * minute.
 */
export const CONNECTION_AGE_MS = 60 * SECOND_MS

/** One worker runs a few batches at a time; more would only wait for the same rows. `connection_limit` overrides it. */
export const POOL_CONNECTIONS = 10

/** The pool of mariadb 3.4 opens no connection at all when this is 0. */
export const POOL_MINIMUM_IDLE = 1

/** A schema change may be silent for hours, so only TCP itself can tell that its server is gone. */
export const MIGRATION_KEEP_ALIVE_MS = 10 * SECOND_MS

/** A process that starts beside a migrating one waits this long for it before it gives up. */
export const MIGRATION_TURN_WAIT_S = 300
