import { OperationsError, type OperationsErrorCode } from '@clerk-mirror/operations'
import { type ConsoleCode, Refusal } from './errors.js'

const CODES: Readonly<Record<OperationsErrorCode, ConsoleCode>> = {
  queue_unavailable: 'queue_unavailable',
  database_unavailable: 'database_unavailable',
  database_required: 'database_unavailable',
  filter_empty: 'invalid_request',
  filter_unfit: 'invalid_request',
  invalid_cursor: 'invalid_request',
  reaction_unknown: 'not_found',
  kind_unknown: 'not_found',
  reaction_alive: 'invalid_request',
  workers_alive: 'invalid_request',
  clerk_instance_mismatch: 'invalid_request',
  installation_mismatch: 'installation_mismatch',
  database_unstamped: 'database_unstamped',
}

/** Messages of these name ids or values, and nothing that a page must not show. */
const DETAILED: ReadonlySet<ConsoleCode> = new Set(['invalid_request', 'installation_mismatch', 'database_unstamped'])

/** An operation's error as one of the console's codes. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof OperationsError)) return new Refusal('internal', undefined, error)
  const code = CODES[error.code]
  return new Refusal(code, DETAILED.has(code) ? error.message : undefined, error)
}
