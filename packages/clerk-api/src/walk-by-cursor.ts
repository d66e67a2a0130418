import { ClerkApiError } from './clerk-api-error.js'
import { CURSORS_TRIED, IDLE_PAGES_MAX, SETTLED_MS } from './limits.js'
import { advanced, freshOf, lastCreatedMs } from './position.js'
import { demandOldestFirst, inconsistent, type Query, type Reader, type ReadPage } from './reader.js'
import type { Page, Position, Recent } from './walk.js'

const USERS = '/users'

/**
 * Users in the order of their creation, each page behind the last user of the one before: users created meanwhile come
 * behind the end, and deleted ones move nothing. The end is not believed, for a page is short too when the cursor's
 * user is gone, or when Clerk lowers its largest limit: it takes a larger one for 10. So the last page is asked for by
 * time, and as many users must have come as Clerk counts that were created before the walk began.
 */
export async function* walkByCursor(reader: Reader, begin: Position, idleMs: number): AsyncGenerator<Page> {
  let position = begin
  let isByTime = position.recent.length === 0
  for (let idlePages = 0; idlePages < IDLE_PAGES_MAX; ) {
    const behind = isByTime ? undefined : await behindCursors(reader, position)
    const page = behind ?? (await byTime(reader, position))
    demandOldestFirst(USERS, page.objects)
    if (position.settledBeforeMs === 0) position = await settled(reader, position, page.dateMs - SETTLED_MS)
    const objects = freshOf(page.objects, position)
    position = advanced(position, objects, 0)
    const isLast = behind === undefined && !page.isFull && (await isComplete(reader, position))
    if (objects.length > 0 || isLast) yield { objects, position, isLast, total: position.settledTotal }
    if (isLast) return
    isByTime = !page.isFull || objects.length === 0
    if (objects.length > 0) idlePages = 0
    else if (behind === undefined) {
      idlePages += 1
      await reader.pause(idleMs)
    }
  }
  throw inconsistent(USERS, `the list ends after ${position.read} users, and the count says more`)
}

async function settled(reader: Reader, position: Position, settledBeforeMs: number): Promise<Position> {
  const begun = { ...position, settledBeforeMs }
  return { ...begun, settledTotal: await countSettled(reader, begun) }
}

/** Counts again, for some were deleted meanwhile. The first count holds too: an import creates users in the past. */
async function isComplete(reader: Reader, position: Position): Promise<boolean> {
  if (position.settled >= position.settledTotal) return true
  return position.settled >= (await countSettled(reader, position))
}

/** Behind the last user that still exists; undefined when none of the last does. */
async function behindCursors(reader: Reader, position: Position): Promise<ReadPage | undefined> {
  for (const cursor of position.recent.slice(-CURSORS_TRIED).reverse()) {
    const page = await behindCursor(reader, position, cursor)
    if (page) return page
  }
  return undefined
}

/** Begins with the users of the last millisecond again. */
async function byTime(reader: Reader, position: Position): Promise<ReadPage> {
  const page = await reader.page(USERS, { ...ASCENDING, ...windowOf(position, lastCreatedMs(position)) })
  if (page) return page
  throw new ClerkApiError('clerk_api_refused', `Clerk's API knows no ${USERS}`)
}

/** Undefined when Clerk does not know the cursor's user any more, or begins anew because of that. */
async function behindCursor(reader: Reader, position: Position, cursor: Recent): Promise<ReadPage | undefined> {
  try {
    const page = await reader.page(USERS, { ...ASCENDING, ...windowOf(position), starting_after: cursor.id })
    const startsMs = page?.objects[0]?.createdAtMs ?? cursor.createdAtMs
    return startsMs < cursor.createdAtMs ? undefined : page
  } catch (error) {
    if (error instanceof ClerkApiError && error.code === 'clerk_api_refused') return undefined
    throw error
  }
}

const ASCENDING = { order_by: '+created_at' }

/** A millisecond wider on both sides: Clerk does not say whether its borders are included. */
function windowOf({ window: { fromMs, toMs } }: Position, behindMs = Number.NEGATIVE_INFINITY): Query {
  const afterMs = Math.max(fromMs ?? Number.NEGATIVE_INFINITY, behindMs)
  return { created_at_after: Number.isFinite(afterMs) ? afterMs - 1 : undefined, created_at_before: toMs }
}

/**
 * Counts a millisecond less on both sides, for the same reason: it must not count the objects that the walk leaves out.
 */
async function countSettled(reader: Reader, { window: { fromMs, toMs }, settledBeforeMs }: Position): Promise<number> {
  const beforeMs = Math.min(toMs ?? Number.POSITIVE_INFINITY, settledBeforeMs) - 1
  if (beforeMs <= (fromMs ?? 0)) return 0
  return reader.count(`${USERS}/count`, { created_at_after: fromMs, created_at_before: beforeMs })
}
