import { Failure } from '@clerk-mirror/events'
import { SERVER_ERRORS } from './server-errors.js'
import { vitessClass } from './vitess.js'

/** Turns an error of the driver or of Prisma into a Failure; a Failure is returned as it is. */
export function classify(error: unknown): Failure {
  if (error instanceof Failure) return error
  const number = serverCode(error)
  const known = number === null ? undefined : SERVER_ERRORS[number]
  const failureClass = known?.[0] ?? vitessClass(error, number) ?? 'unknown'
  return new Failure(failureClass, codeOf(error, number), describe(error, number), error)
}

const PACKET_TOO_LARGE = 1153

/** For an event that is too large for any statement: the server may hang up before its answer is read. */
export const packetTooLarge = (cause: Failure): Failure =>
  new Failure('unknown', `mysql_${PACKET_TOO_LARGE}`, describe(cause, PACKET_TOO_LARGE), cause)

const LOCK_WAITS = new Set(['mysql_1205', 'mysql_3572'])

/** Whether a transaction gave up on a row that another one holds. A deadlock is over at once; a held row may last. */
export const isLockWait = ({ code }: Failure): boolean => LOCK_WAITS.has(code)

const codeOf = (error: unknown, number: number | null) => {
  if (number !== null) return `mysql_${number}`
  const code = property(error, 'code')
  return typeof code === 'string' ? `mysql_${code.toLowerCase()}` : 'mysql_unknown'
}

const SILENT = 'the database gave no answer in time: it is frozen, or a table is locked (ALTER TABLE, LOCK TABLES)'

/**
 * The server's texts quote values, which are personal data. Messages contain numbers and names of errors, and our own
 * texts.
 */
function describe(error: unknown, number: number | null): string {
  const advice = number === null ? undefined : SERVER_ERRORS[number]?.[1]
  if (number === PACKET_TOO_LARGE && advice) return advice
  if (number !== null) return `the database refused with error ${number}${advice ? `: ${advice}` : ''}`
  const code = property(error, 'code')
  if (code === 'ER_SOCKET_TIMEOUT') return SILENT
  const name = error instanceof Error ? error.name : typeof error
  return `the write failed with ${typeof code === 'string' ? `${name} ${code}` : name}`
}

/**
 * The server's own number. The driver has it as `errno`; under a raw query Prisma hides it, as text, in
 * `meta.driverAdapterError.cause.originalCode`.
 */
function serverCode(error: unknown, depth = 0): number | null {
  if (depth > 4 || typeof error !== 'object' || error === null) return null
  const errno = property(error, 'errno')
  if (typeof errno === 'number' && errno >= 1000 && errno < 10_000) return errno
  const originalCode = property(error, 'originalCode')
  if (typeof originalCode === 'string' && /^\d{4}$/.test(originalCode)) return Number(originalCode)
  for (const key of ['meta', 'driverAdapterError', 'cause']) {
    const found = serverCode(property(error, key), depth + 1)
    if (found !== null) return found
  }
  return null
}

const property = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
