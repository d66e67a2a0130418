/**
 * A position after a dead letter. The list is ordered by time of failure, within a millisecond by partition, then by
 * id.
 */
export type DeadLetterCursor = { partition: number; failedAtMs: number; id: string }

type Listed = { cursor: DeadLetterCursor }

/** Score and id after which a partition's dead letters follow this cursor. */
export function startIn(partition: number, after: DeadLetterCursor | null): [score: string, id: string] {
  if (!after) return ['-inf', '']
  const id = partition === after.partition ? after.id : partition < after.partition ? BEHIND_ALL_IDS : ''
  return [String(after.failedAtMs), id]
}

const BEHIND_ALL_IDS = '\u{10ffff}'

/** The first dead letters of a partition, and whether it may have more. */
export type PartitionPage<T extends Listed> = { deadLetters: T[]; hasMore: boolean }

/** Merges the first dead letters of all partitions up to the point that all of them have reached. */
export function merged<T extends Listed>(pages: readonly PartitionPage<T>[]): T[] {
  const unread = pages.flatMap(({ deadLetters, hasMore }) => (hasMore ? deadLetters.slice(-1) : [])).sort(inOrder)[0]
  return pages
    .flatMap(({ deadLetters }) => deadLetters)
    .filter(({ cursor }) => !unread || !comesAfter(cursor, unread.cursor))
    .sort(inOrder)
}

export const inOrder = (one: Listed, other: Listed) => (comesAfter(one.cursor, other.cursor) ? 1 : -1)

/** In the order of the list; ids compare by their bytes. */
export function comesAfter(one: DeadLetterCursor, other: DeadLetterCursor): boolean {
  if (one.failedAtMs !== other.failedAtMs) return one.failedAtMs > other.failedAtMs
  if (one.partition !== other.partition) return one.partition > other.partition
  return Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)) > 0
}
