/**
 * Every failure has a class, and the class alone decides what follows:
 * - `outage`      the database or Redis cannot work at present: the breaker opens, no attempt is used
 * - `contention`  two transactions met: again at once, a few times
 * - `blocked`     a constraint or a lock of the application stops this one event: it waits alone, no attempt is used
 * - `poison`      another try cannot help: dead-lettered at once
 * - `killer`      the event was started again and again and never finished: dead-lettered
 * - `unknown`     anything else, a bug of ours included: retried with growing delays, then dead-lettered
 */
export type FailureClass = 'outage' | 'contention' | 'blocked' | 'poison' | 'killer' | 'unknown'

/** A fault with its class and a stable code (docs/errors.md). The message names paths and causes, never values. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly class: FailureClass
  readonly code: string

  constructor(failureClass: FailureClass, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.class = failureClass
    this.code = code
  }
}
