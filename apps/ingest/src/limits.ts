/** Every limit of ingest, with its reason. docs/settings.md lists them. */

/** Bytes of a body. Clerk's largest are some 30 KB and Svix takes up to 350 KB: this is not met by an honest sender. */
export const BODY_BYTES_MAX = 1024 * 1024

/** Bytes of all headers of a request. Svix' are some 400; Node answers 431 beyond. */
export const HEADER_BYTES_MAX = 16 * 1024

/** Headers of a request; 431 beyond. Svix and proxies send some thirty. Node's own limit of a thousand lets connections
 * that stop within their headers take 100 KB each. */
export const HEADERS_MAX = 100

/** Milliseconds for the headers, and for the whole request. Svix itself gives up after 15 s. */
export const HEADERS_MS = 5_000
export const REQUEST_MS = 15_000

/** Milliseconds without traffic on a connection in the middle of a request, as with a client that never reads answers.
 * */
export const SILENCE_MS = 20_000

/** Open connections: ten thousand slow ones are held without closing any, at some 15 KB each. Beyond, the connection
 * that has waited longest is closed for the new one. Svix and a proxy keep some dozens. The process must be allowed
 * more open files than that (the hard limit `nofile`): else new connections are refused instead. */
export const CONNECTIONS_MAX = 12_000

/** Connections that the kernel keeps until they are accepted. With Node's 511, a flood that comes back all at once
 * makes an honest sender's kernel try again after one second, and then after two more. Linux itself stops at 4096. */
export const BACKLOG_MAX = 4096

/** Bytes of all bodies that are in memory: two thousand of the largest that Clerk sends, in a process of 512 MiB. */
export const BODY_BYTES_SUM_MAX = 64 * 1024 * 1024

/** Requests from one address without valid headers, which no signature can make valid, before it gets 429 until its
 * window ends. Clerk sends none; a wrong clock makes some, and sixty lines in the log tell as much as sixty thousand.
 * */
export const UNSIGNED_MAX = 60
export const UNSIGNED_MS = 60_000

/** Lines in the log about such requests within that time, of all addresses together: an IPv6 network has any number of
 * addresses, and a process that writes nothing but lines does nothing else. */
export const UNSIGNED_LINES_MAX = 600

/** Addresses remembered for that, IPv6 by /64: some 2 MB. Of a flood from more, the oldest windows are forgotten. */
export const ADDRESSES_MAX = 10_000

/** Warnings of dropped events, one for each reason and value, until the process is started again: more values than a
 * misconfigured endpoint has, and few enough for a log. */
export const DROP_WARNINGS_MAX = 20

/** Seconds after which a refused sender should retry. Svix' own second try comes after 5. */
export const RETRY_AFTER_S = 5

/**
 * Milliseconds between Node's looks for requests that take too long; its own 30 s would more than double the limits.
 */
export const TIMEOUT_CHECK_MS = 2_000

/** Milliseconds that a process which starts waits for Redis before it opens its port, and between its looks: a Redis that
 * is there answers within some of them, and without one the answer is 503 from then on. */
export const START_WAIT_MS = 1_000
export const START_LOOK_MS = 20

/** Milliseconds between looks for a Redis that has not answered yet, to warn of its settings. */
export const LOOK_MS = 1_000
