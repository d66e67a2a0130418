/** Behind a letter, in the order of the list: of time of death and, in one millisecond, of partitions, then of ids. */
export type LetterPlace = { partition: number; failedAtMs: number; id: string }

type Placed = { place: LetterPlace }

/** Score and id behind which a partition's letters come after this place. */
export function startIn(partition: number, after: LetterPlace | null): [score: string, id: string] {
  if (!after) return ['-inf', '']
  const id = partition === after.partition ? after.id : partition < after.partition ? BEHIND_ALL_IDS : ''
  return [String(after.failedAtMs), id]
}

const BEHIND_ALL_IDS = '\u{10ffff}'

/** The first letters of a partition, and whether it may have more behind them. */
export type PartitionPage<T extends Placed> = { letters: T[]; hasMore: boolean }

/** Of the first letters of each partition those that come first of all. */
export function merged<T extends Placed>(pages: readonly PartitionPage<T>[]): T[] {
  const unread = pages.flatMap(({ letters, hasMore }) => (hasMore ? letters.slice(-1) : [])).sort(inOrder)[0]
  return pages
    .flatMap(({ letters }) => letters)
    .filter(({ place }) => !unread || !isBehind(place, unread.place))
    .sort(inOrder)
}

export const inOrder = (one: Placed, other: Placed) => (isBehind(one.place, other.place) ? 1 : -1)

/** In the order of the list, ids by their bytes. */
export function isBehind(one: LetterPlace, other: LetterPlace): boolean {
  if (one.failedAtMs !== other.failedAtMs) return one.failedAtMs > other.failedAtMs
  if (one.partition !== other.partition) return one.partition > other.partition
  return Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)) > 0
}
