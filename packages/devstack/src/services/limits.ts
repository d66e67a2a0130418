/** A big append-only file or a crash recovery takes its time; a server that is silent for longer is broken. */
export const READY_WITHIN_MS = 120_000

/** A clean MariaDB shutdown with much to flush takes seconds; after this the server is killed, which loses nothing. */
export const STOPPED_WITHIN_MS = 30_000

/** Servers are asked this often whether they are ready: start-up takes about half a second, so 50 ms is not felt. */
export const POLL_EVERY_MS = 50

/** One answer of a server on the same machine; a frozen one must not hold up the next attempt for long. */
export const ANSWER_WITHIN_MS = 1_000

/** `docker info` answers in well under a second where an engine runs, and may hang where one is half installed. */
export const ENGINE_ANSWERS_WITHIN_MS = 5_000

/** Another apt process (unattended upgrades after boot) holds the lock for a minute or two. */
export const APT_LOCK_WITHIN_S = 180

/**
 * Below the ephemeral range of Linux (32768) and of macOS and Windows (49152). Inside it, clients that try to reconnect
 * to a stopped server can be given its very port, connect to themselves, and keep the server from coming back.
 */
export const PORTS = { from: 20_000, to: 32_000 } as const

/** Enough for the caches of a development database; the default of a full installation is of no use here. */
export const BUFFER_POOL_MIB = 128

/** Several processes with a pool each, tests in two workers, and room for an operator. */
export const DATABASE_CONNECTIONS = 400

/** A new data folder takes 1 to 10 s; anything longer than this hangs, and the next source is tried. */
export const INITIALISE_MS = 90_000
