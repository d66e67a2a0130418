/** Behind a dead letter, in the order of the list: of time of death and, in one millisecond, of partitions, then of ids. */
export type DeadLetterCursor = { partition: number; failedAtMs: number; id: string }

type Listed = { cursor: DeadLetterCursor }

/** Score and id behind which a partition's dead letters come after this place. */
export function startIn(partition: number, after: DeadLetterCursor | null): [score: string, id: string] {
  if (!after) return ['-inf', '']
  const id = partition === after.partition ? after.id : partition < after.partition ? BEHIND_ALL_IDS : ''
  return [String(after.failedAtMs), id]
}

const BEHIND_ALL_IDS = '\u{10ffff}'

/** The first dead letters of a partition, and whether it may have more behind them. */
export type PartitionPage<T extends Listed> = { deadLetters: T[]; hasMore: boolean }

/** Of the first dead letters of each partition those that come first of all. */
export function merged<T extends Listed>(pages: readonly PartitionPage<T>[]): T[] {
  const unread = pages.flatMap(({ deadLetters, hasMore }) => (hasMore ? deadLetters.slice(-1) : [])).sort(inOrder)[0]
  return pages
    .flatMap(({ deadLetters }) => deadLetters)
    .filter(({ cursor }) => !unread || !comesAfter(cursor, unread.cursor))
    .sort(inOrder)
}

export const inOrder = (one: Listed, other: Listed) => (comesAfter(one.cursor, other.cursor) ? 1 : -1)

/** In the order of the list, ids by their bytes. */
export function comesAfter(one: DeadLetterCursor, other: DeadLetterCursor): boolean {
  if (one.failedAtMs !== other.failedAtMs) return one.failedAtMs > other.failedAtMs
  if (one.partition !== other.partition) return one.partition > other.partition
  return Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)) > 0
}
