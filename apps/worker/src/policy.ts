/** Every limit of the worker's own, with its reason. docs/settings.md lists them. */

/** Milliseconds between two messages to people: chat services take one a second, and people read more slowly. */
export const NOTICE_GAP_MS = 10_000
/** Causes told of in one message; the others have their turn in the next. */
export const NOTICE_CAUSES_MAX = 10
/** Causes that wait to be told, at most: while the receiver is down, memory must not fill with them. */
export const NOTICES_PENDING_MAX = 100
/** Milliseconds for an answer of the receiver. */
export const NOTICE_ANSWER_MS = 5_000
/** Rides out a restart of the receiver. Afterwards the next dead letter of the cause is told as its first. */
export const NOTICE_RETRY_DELAYS_MS = [1_000, 5_000, 30_000, 120_000] as const
/** Milliseconds after which Redis is asked again whether a cause is news: ten thousand letters at once ask it once. */
export const NOTICE_ASK_AGAIN_MS = 600_000
