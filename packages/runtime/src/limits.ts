/**
 * Ends before Kubernetes' default grace of 30 s does, with room for the last log lines.
 * Plain `docker stop` waits only 10 s: give it `--time 30` (compose: `stop_grace_period`).
 */
export const SHUTDOWN_DEADLINE_MS = 20_000

/** Ctrl-C under `npm run` can arrive twice within milliseconds: the terminal signals the whole group, and npm forwards
 * its own copy where its shell is bash. Only a later signal is a second Ctrl-C. */
export const SAME_SIGNAL_MS = 500

/**
 * Seconds that `KEEP_ALIVE_TIMEOUT_S` may be set to: no balancer keeps an idle connection for longer than some hours.
 */
export const KEEP_ALIVE_MAX_S = 86_400

/** Seconds that `SHUTDOWN_DELAY_S` may be set to: supervisors kill a process that takes longer to stop. */
export const SHUTDOWN_DELAY_MAX_S = 600

/**
 * Requests of one connection that may wait for their answers. Svix, browsers and balancers send one at a time; a
 * connection that sends more than this ahead is closed, for its requests would be served before those of all others.
 */
export const UNANSWERED_MAX = 4

/** A stopping process completes requests within this time, and then cuts off the rest. It ends before
 * SHUTDOWN_DEADLINE_MS: connections that are slow on purpose make no shutdown fail. */
export const DRAIN_MS = 15_000

/** A connection that was made just before the listener closed gets this long to send its first request. */
export const FIRST_REQUEST_MS = 500

/**
 * A turn of the event loop that is shorter accepted no connection late; so many turns are tried before a listener
 * closes.
 */
export const QUIET_MS = 1
export const QUIET_TURNS = 200

/** Probes and scrapes that are still unanswered when the process ends get this long. */
export const HEALTH_DRAIN_MS = 500

/** Probes commonly give up after 1 to 5 s; a check that has not answered by now counts as failed. */
export const READINESS_DEADLINE_MS = 2_000

/** Ends before the readiness as a whole does, so that the answer can still name the check that hangs. */
export const CHECK_DEADLINE_MS = 1_500

/** A client of a public port may request /readyz at any rate, and each check costs Redis a write to its disk. Probes
 * come every few seconds, and a balancer takes several in a row before it acts: a second changes nothing for them. */
export const READINESS_KEPT_MS = 1_000

/** Probes and scrapers send a few short lines at once; a slower client only holds a socket. */
export const HEADERS_TIMEOUT_MS = 5_000
export const REQUEST_TIMEOUT_MS = 10_000

/** Longer than the usual gap between two probes, so that a probe may reuse its connection. */
export const KEEP_ALIVE_TIMEOUT_MS = 15_000

/** A log line stays readable, and bounded, with any message of a database. */
export const ERROR_MESSAGE_LIMIT_CHARS = 1_000

/** Bytes of log lines that wait for a stalled reader: some thousand lines; further ones are dropped. */
export const LOG_BUFFER_BYTES = 1024 * 1024

/**
 * Milliseconds between two tries to write to a reader that stalls: 64 KiB each, the size of a pipe, are 6 MB a second.
 */
export const LOG_RETRY_MS = 10

/** Milliseconds that an ending process waits for the reader of its last lines; within the grace of 30 s. */
export const LOG_FLUSH_MS = 2_000

/** Deep enough for driver → client → package → app; also the end of a chain that refers to itself. */
export const ERROR_CHAIN_LIMIT = 5

/** Node's own default is 10 frames: only a changed limit or a message posing as frames exceeds this. */
export const STACK_FRAME_LIMIT = 30

/** At the end of a process, the last spans get this long to reach their receiver; nothing else waits for traces. */
export const TRACES_FLUSH_MS = 2_000

/** Bytes that each piece of a body takes besides its own, as measured: it may come in pieces of one byte. */
export const BODY_PIECE_BYTES = 512
