/** Every limit of the operations, with its reason. docs/settings.md lists them. */

/** Milliseconds that erase waits for a worker: one that was killed gives its events back within 15 s, twice over. */
export const ERASE_PATIENCE_MS = 30_000

/** Milliseconds between looks at an event that a worker has; it is usually done with it after the first. */
export const ERASE_LOOK_MS = 250

/** Letters whose events are looked up in the ledger at once. */
export const LEDGER_PAGE = 100
