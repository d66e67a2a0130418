export type StackErrorCode =
  /** Redis is neither configured nor to be had on this machine. */
  | 'no_redis'
  /** The same for MySQL or MariaDB. */
  | 'no_mysql'
  /** Another process runs its servers on the same data folder. */
  | 'stack_running'
  /** A server program was found and did not come up. */
  | 'server_not_started'

/** An expected fault of the development stack: its message is meant for people and is to be shown without a stack. */
export class StackError extends Error {
  override readonly name = 'StackError'
  readonly code: StackErrorCode

  constructor(code: StackErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
