export type MigrationErrorCode =
  | 'migrations_missing'
  | 'migration_changed'
  | 'migration_incomplete'
  | 'migration_failed'
  | 'migration_locked'
  | 'database_not_empty'
  | 'database_not_created'

/**
 * The reason why migrations were not applied. The message contains the remedy; trying again without it does not help.
 */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
  readonly code: MigrationErrorCode

  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
