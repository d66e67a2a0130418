/**
 * The version of an object that an event describes. Compared field by field, in this order; both times in ms.
 * `svix-timestamp` is no part of it: it differs from attempt to attempt.
 */
export type Version = { updatedAtMs: number; timestampMs: number; eventId: string }

/** Total: two different events never compare as equal, so any two workers agree on the winner. */
export function compareVersions(a: Version, b: Version): number {
  return a.updatedAtMs - b.updatedAtMs || a.timestampMs - b.timestampMs || compareBytes(a.eventId, b.eventId)
}

/** For ASCII, which every event id is, the order of UTF-16 code units is the order of bytes. */
const compareBytes = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Clerk documents ms, but its own samples and "Send Example" carry seconds. 1e11 ms was in 1973. */
const SECONDS_BELOW = 1e11

export function versionOf(eventId: string, updatedAt: unknown, timestamp: unknown): Version {
  const updatedAtMs = wholeNumber(updatedAt)
  const timestampMs = normalised(wholeNumber(timestamp))
  return { updatedAtMs: updatedAtMs ?? timestampMs ?? 0, timestampMs: timestampMs ?? updatedAtMs ?? 0, eventId }
}

const normalised = (time: number | null) => (time !== null && time < SECONDS_BELOW ? time * 1000 : time)

function wholeNumber(value: unknown): number | null {
  if (typeof value !== 'number' || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) return null
  return Math.trunc(value)
}
