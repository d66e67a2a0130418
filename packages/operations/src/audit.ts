import type { Counts, Mirror } from '@clerk-mirror/mirror'
import { OperationsError } from './operations-error.js'

/** `cursor` leads to the next page; null on the last. */
export type Page<T> = { items: T[]; cursor: string | null }

/** One action of an operator. Times in ms. */
export type OperatorAction = {
  id: string
  atMs: number
  /** Null while it runs, and for ever when it was interrupted. */
  finishedAtMs: number | null
  /** An account and machine, or a name of the console. */
  actor: string
  /** replay, discard, retry-now, look, erase, rebuild, ask, forget, release */
  action: string
  /** The one event or object that it was about. */
  subjectId: string | null
  /** JSON: the request, such as the filter. */
  details: string | null
  counts: Counts
}

export async function auditPage(
  mirror: Mirror,
  { cursor = null, limit }: { cursor?: string | null; limit: number },
): Promise<Page<OperatorAction>> {
  if (cursor !== null && !/^\d{1,18}$/.test(cursor)) {
    throw new OperationsError('invalid_cursor', 'The cursor is none that a page gave.')
  }
  // One more than asked for tells whether there is another page.
  const found = await mirror.recordedActions({ ...(cursor !== null && { before: BigInt(cursor) }), limit: limit + 1 })
  const items = found.slice(0, limit).map((action) => ({ ...action, id: String(action.id) }))
  return { items, cursor: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}
