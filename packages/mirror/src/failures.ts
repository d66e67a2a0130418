import { Failure, type FailureClass } from '@clerk-mirror/events'

/**
 * What MySQL's and MariaDB's error numbers mean for an event. Numbers that are not here, lost connections and time-outs
 * are `unknown` until the canary has told whether the database or the batch is at fault.
 */
const CLASS_OF_CODE: Readonly<Record<number, FailureClass>> = {
  // Another transaction was in the way.
  1205: 'contention', // lock wait time-out
  1213: 'contention', // deadlock
  3572: 'contention', // NOWAIT is set and the lock is taken
  // The database cannot work at present, whatever the event.
  1021: 'outage', // disk full
  1037: 'outage', // out of memory
  1038: 'outage', // out of sort memory
  1040: 'outage', // too many connections
  1041: 'outage', // out of resources
  1044: 'outage', // access denied to database
  1045: 'outage', // access denied for user
  1049: 'outage', // unknown database
  1053: 'outage', // server shutdown in progress
  1054: 'outage', // unknown column: the migration is missing
  1114: 'outage', // table is full
  1129: 'outage', // host is blocked
  1130: 'outage', // host is not allowed
  1142: 'outage', // command denied on table
  1143: 'outage', // command denied on column
  1146: 'outage', // no such table: the migration is missing
  1203: 'outage', // user has too many connections
  1226: 'outage', // user has used up a resource
  1227: 'outage', // privilege is missing
  1290: 'outage', // read-only
  1698: 'outage', // access denied without password
  1792: 'outage', // read-only transaction
  1836: 'outage', // read-only mode
  3100: 'outage', // a replication plugin refused the commit
  3101: 'outage', // a replication plugin rolled back
  // Of the batch, or of its one event: the canary tells that the database works, and then the batch is halved.
  1153: 'unknown', // packet too large
  // The database refuses the value, today and tomorrow.
  1048: 'poison', // null in a column that takes none
  1264: 'poison', // number out of range
  1292: 'poison', // not a date
  1366: 'poison', // not a string of this character set
  1406: 'poison', // text too long
  3140: 'poison', // not JSON
  3819: 'poison', // a check constraint refused (MySQL)
  4025: 'poison', // the same (MariaDB)
}

/** An error of the driver or of Prisma as a failure; a failure stays what it is. */
export function classify(error: unknown): Failure {
  if (error instanceof Failure) return error
  const number = serverCode(error)
  const failureClass = (number !== null && CLASS_OF_CODE[number]) || 'unknown'
  return new Failure(failureClass, codeOf(error, number), describe(error, number), error)
}

const PACKET_TOO_LARGE = 1153

/** Of an event that no statement can carry: the server may hang up before its answer is read. */
export const packetTooLarge = (cause: Failure): Failure =>
  new Failure('unknown', `mysql_${PACKET_TOO_LARGE}`, describe(cause, PACKET_TOO_LARGE), cause)

const codeOf = (error: unknown, number: number | null) => {
  if (number !== null) return `mysql_${number}`
  const code = property(error, 'code')
  return typeof code === 'string' ? `mysql_${code.toLowerCase()}` : 'mysql_unknown'
}

/** The server's texts quote values, which are personal data: only numbers and names of errors are told. */
function describe(error: unknown, number: number | null): string {
  if (number === PACKET_TOO_LARGE) return 'larger than the max_allowed_packet of the database'
  if (number !== null) return `the database refused with error ${number}`
  const code = property(error, 'code')
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
