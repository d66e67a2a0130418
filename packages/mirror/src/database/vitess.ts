import type { FailureClass } from '@clerk-mirror/events'

/** Vitess uses this number for every error without a MySQL number; only the text tells them apart. */
const UNKNOWN_ERROR = 1105

/** A cluster that fails over or is overloaded: no event is at fault. */
const OUTAGE = /code(?: =|:) (?:resource_?exhausted|unavailable|cluster_?event)|is not serving|no healthy tablet/i
/** A transaction that took longer than its server allows was rolled back. */
const ROLLED_BACK = /tx killer rollback|exceeded timeout|transaction \S+: (?:ended|not found)/i

/** Classifies a Vitess error by its text, which is read here and never shown; null where the text says nothing. */
export function vitessClass(error: unknown, number: number | null): FailureClass | null {
  if (number !== UNKNOWN_ERROR) return null
  const text = textsOf(error)
  if (OUTAGE.test(text)) return 'outage'
  return ROLLED_BACK.test(text) ? 'contention' : null
}

/** Prisma and the driver keep the server's text in members of different names. */
function textsOf(error: unknown, depth = 0): string {
  if (typeof error === 'string') return error
  if (depth > 4 || typeof error !== 'object' || error === null) return ''
  const members: Readonly<Record<string, unknown>> = { ...error, message: Reflect.get(error, 'message') }
  const keys = ['message', 'sqlMessage', 'originalMessage', 'meta', 'driverAdapterError', 'cause']
  return keys.map((key) => textsOf(members[key], depth + 1)).join(' ')
}
