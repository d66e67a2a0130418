export type MigrationErrorCode =
  | 'migrations_missing'
  | 'migration_changed'
  | 'migration_incomplete'
  | 'migration_failed'
  | 'migration_locked'
  | 'database_not_empty'
  | 'database_not_created'

/** Why migrations were not applied. The message says what to do; trying again without doing it does not help. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
  readonly code: MigrationErrorCode

  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
