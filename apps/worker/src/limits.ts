/** Every limit of the worker's own, with its reason. docs/settings.md lists them. */

/** Milliseconds between two messages to people: chat services take one a second, and people read more slowly. */
export const ALERT_GAP_MS = 10_000
/** Causes in one message; the others follow in the next. */
export const ALERT_CAUSES_MAX = 10
/** Causes that wait for their message, at most: while the receiver is down, memory must not fill with them. */
export const ALERTS_PENDING_MAX = 100
/** Milliseconds for an answer of the receiver. */
export const ALERT_ANSWER_MS = 5_000
/** Rides out a restart of the receiver. Afterwards the next dead letter of the cause is sent as its first. */
export const ALERT_RETRY_DELAYS_MS = [1_000, 5_000, 30_000, 120_000] as const
/** Milliseconds after which Redis is asked again whether a cause is new: ten thousand dead letters at once ask it once.
 * */
export const ALERT_CLAIM_AGAIN_MS = 600_000

/** Milliseconds for which a comparison of the installations of queue and database serves: a worker under load asks both
 * once a second; and between looks of a worker that has nothing to do. */
export const INSTALLATION_TRUST_MS = 1_000
export const INSTALLATION_LOOK_MS = 5_000

/** Milliseconds for one run of a reaction without a timeout of its own: less than a shutdown waits for. */
export const RUN_MS = 15_000
/** Milliseconds that a completed run waits for the others in flight, so that they are completed together: little beside
 * an answer over the network. */
export const RUN_GATHER_MS = 10

/** Milliseconds for one delivery to a receiver of changes: the least that Standard Webhooks advises. */
export const DELIVERY_MS = 15_000
/** Bytes of an answer's body that are read, and milliseconds for them: only the status counts, and reading keeps the
 * connection. */
export const ANSWER_BYTES_MAX = 4_096
export const ANSWER_REST_MS = 1_000
/** Longest pause in milliseconds that a receiver may ask for: a day, and retries go on for longer. */
export const RETRY_AFTER_MAX_MS = 86_400_000

/** Runs that begin together while the worker is behind with events, of all its reactions, and milliseconds until the next
 * may: 160 a second cost a tenth of a processor, and are half a million an hour. */
export const THROTTLED_RUNS = 32
export const THROTTLE_GAP_MS = 200

/** Rows of the outbox that are handed over at once: some 10 ms of Redis, 20 of MySQL. */
export const RELAY_PAGE = 256
/** Milliseconds that one reaction is handed over before another has its turn; half of what Redis grants for it. */
export const RELAY_TURN_MS = 2_500
/** Milliseconds between looks for rows that a dead worker left behind; changes of this worker need no look. */
export const RELAY_POLL_MS = 2_000
/** Milliseconds that rows are gathered before they are enqueued, and until the next attempt at a reaction that another
 * process enqueues: a tenth of a second is no delay to any receiver, and spares a busy worker a turn for each
 * transaction. */
export const RELAY_GATHER_MS = 100
/** Milliseconds between tries while MySQL or Redis is away. */
export const RELAY_RETRY_MS = 1_000
/**
 * Objects that are read at once for runs: a packet holds them, large ones too, and a statement costs as much for one.
 */
export const READ_OBJECTS_MAX = 32
/** Connections to MySQL for reactions, apart from those that apply events: many runs must not keep events waiting. */
export const REACTION_CONNECTIONS = 4

/** Characters of a secret that changes are signed with: 24 random bytes in base64, beyond guessing. */
export const WEBHOOK_SECRET_CHARS_MIN = 32

/** Milliseconds after which a cause that blocks events is logged again, and for which /readyz names it after a try: three
 * times as long as until the next. */
export const BLOCKED_LOG_MS = 3_600_000
export const BLOCKED_NOTE_MS = 90_000
