/** The last ms that a Date can hold; a version may be beyond. */
const LAST_DATE_MS = 8_640_000_000_000_000

/** A version's time in ISO 8601, or as milliseconds where no calendar has that day. */
export const versionTime = (ms: number): string => (ms <= LAST_DATE_MS ? new Date(ms).toISOString() : `${ms} ms`)
