/** Every limit of the console, with its reason. docs/settings.md lists them. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Characters of a token: 24 random bytes in base64. Only this length keeps a guess from success, for the right token
 * is accepted after any number of wrong ones. */
export const TOKEN_CHARS_MIN = 32

/** Milliseconds of a session: one shift. */
export const SESSION_MS = 12 * HOUR

/** Wrong tokens from one address before it has to wait, and milliseconds that they count: a human errs less often. */
export const WRONG_TOKENS_MAX = 10
export const WRONG_TOKENS_MS = 10 * MINUTE

/** Addresses remembered for that: bounds the memory that a flood of addresses can take. */
export const ADDRESSES_MAX = 10_000

/** Bytes of a form or an API request: a page of selected dead letters is some 10 KB. */
export const FORM_BYTES_MAX = 256 * 1024

/** Milliseconds for the headers and for the whole request of a slow client, or of one that only pretends to be slow. */
export const HEADERS_MS = 5 * SECOND
export const REQUEST_MS = 15 * SECOND

/** Milliseconds until a page gives up on Redis or MySQL: at 3 a.m. a late answer is better than a blank page. */
export const READ_MS = 4 * SECOND

/** Milliseconds for pages that need MySQL: its client takes up to ten seconds to say that no server is there. */
export const LEDGER_MS = 12 * SECOND

/** Milliseconds that the overview waits for its numbers from MySQL: without them, it still shows the queue. */
export const ACTIVITY_WAIT_MS = 1500

/** Milliseconds for pages that count all dead letters: a hundred thousand take some ten seconds. */
export const COUNT_MS = 30 * SECOND

/** Milliseconds that the overview waits for the causes, and for which a count of them serves: it is a detail there. */
export const CAUSES_WAIT_MS = SECOND
export const CAUSES_FRESH_MS = 10 * SECOND

/** Rows on a page: they fit on two screens. */
export const ROWS = 50

/** Rows that one request to the API may ask for. */
export const API_ROWS_MAX = 1000

/** The last page of bull-board that can be asked for: far behind any queue, and a number that Redis takes. */
export const BOARD_PAGE_MAX = 1_000_000

/** Finished replays and discards with a result page; the audit log keeps them all. */
export const RUNS_KEPT = 20

/** Events replayed per second by default: leaves most of a Redis and its workers to the live traffic. */
export const REPLAY_PER_S = 500

/** Milliseconds between two samples of the backlog, and samples that are kept: the charts' last hour. */
export const SAMPLE_MS = 15 * SECOND
export const SAMPLES_KEPT = HOUR / SAMPLE_MS

/** Milliseconds between a page's refreshes of its live parts. */
export const REFRESH_MS = 5 * SECOND

/**
 * Milliseconds that the oldest event may wait before the overview calls it a backlog: workers take them in well under
 * one.
 */
export const SLOW_MS = 30 * SECOND
