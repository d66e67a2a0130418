import type { InstallationCode } from '@clerk-mirror/events'

export type OperationsErrorCode =
  /** Redis does not answer, or refuses. */
  | 'queue_unavailable'
  /** The database does not answer, or refuses. */
  | 'database_unavailable'
  /** This needs the ledger or the audit, and no database was named. */
  | 'database_required'
  /** A bulk verb was given a filter without any part: it must say `all` to mean all. */
  | 'filter_empty'
  /** The filter has a part that does not apply to the verb. */
  | 'filter_unfit'
  /** No worker has ever had a reaction of this name, and nothing waits for it. */
  | 'reaction_unknown'
  /** Nothing of this kind was ever mirrored, and no kind is called so. */
  | 'kind_unknown'
  /** A worker that is alive has this reaction. */
  | 'reaction_alive'
  /** The cursor is none that a page of these operations gave. */
  | 'invalid_cursor'
  /** Workers must be stopped for this. */
  | 'workers_alive'
  /** The secret key is of another Clerk instance than the mirror. */
  | 'clerk_instance_mismatch'
  | InstallationCode

/** The reason that an operator's request was not completed. Completed work stays done. */
export class OperationsError extends Error {
  override readonly name = 'OperationsError'
  readonly code: OperationsErrorCode

  constructor(code: OperationsErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
