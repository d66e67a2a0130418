/** Every limit of profiles, with its reason. docs/settings.md lists them. */

/** Profiles on one page of the list: a screen or three, and one round trip to the database. */
export const PAGE_SIZE = 30

/** Characters, as wide as the columns. A username comes from Clerk, and no username is longer. */
export const USERNAME_MAX = 120
export const TAGLINE_MAX = 250
export const LABEL_MAX = 200
export const URL_MAX = 200

/** Links of one page: readers want no more, and the whole page stays one short answer. */
export const BLOCKS_MAX = 50

/** Bytes of a body: 50 blocks of 400 characters, each written as an escaped pair of surrogates, are 240,000. */
export const BODY_BYTES_MAX = 256 * 1024

/** Bytes of all headers. Clerk keeps a session token below the 4 KB of a cookie, and there are others beside it. */
export const HEADER_BYTES_MAX = 16 * 1024

/** Headers of a request that are kept: browsers and proxies send some forty. Node's own limit of a thousand lets
 * connections that stop within their headers take 100 KB each. */
export const HEADERS_MAX = 100

/** Open connections, at some 15 KB each: a thousand browsers with six kept connections each. Beyond, the connection
 * that has waited longest is closed for the new one, and its browser silently opens another. The hard limit `nofile` of
 * the process must be above it. */
export const CONNECTIONS_MAX = 6_000

/** Bytes of all bodies that are in memory: 128 of the largest, which take some times as much while they are parsed. */
export const BODY_BYTES_SUM_MAX = 32 * 1024 * 1024

/** Characters of a path's parameter: a username of 120 emoji, each written as 12 characters in a URL. */
export const PARAMETER_MAX = 1500

/** Milliseconds for the headers, and for the whole request: a body of 256 KiB comes through the slowest phone. */
export const HEADERS_MS = 5_000
export const REQUEST_MS = 30_000

/** Milliseconds without traffic on a connection in the middle of a request, as with a client that never reads its
 * answers: the slowest phone acknowledges a packet within seconds. */
export const SILENCE_MS = 20_000

/** Milliseconds between Node's looks for requests that take too long; its own 30 s would double the limits. */
export const TIMEOUT_CHECK_MS = 2_000

/** Reads and writes of the database at once: as many as its pool has connections, unless that is set lower. */
export const DATABASE_TURNS = 10

/** Requests that wait for their turn at the database; beyond, the newest of the address that has the most is refused.
 * A turn takes some 2 ms: the last of them waits for 50. */
export const DATABASE_QUEUE_MAX = 256

/** Milliseconds that a request waits for its turn. No reader waits longer for a page. */
export const DATABASE_QUEUE_MS = 3_000

/** Milliseconds by which our clock and Clerk's may differ; a session token lives for 60 s. */
export const CLOCK_SKEW_MS = 5_000

/** Seconds after which a client should retry while the database is away: most such outages are failovers. */
export const RETRY_AFTER_S = 5
