import { ClerkApiError } from './clerk-api-error.js'
import { CURSORS_TRIED, IDLE_PAGES_MAX } from './limits.js'
import { advanced, freshOf, lastCreatedMs } from './position.js'
import { demandOldestFirst, inconsistent, type Query, type Reader, type ReadPage } from './reader.js'
import type { Page, Position } from './walk.js'

const USERS = '/users'

/**
 * Users in the order of their creation, each page behind the last user of the one before: what is created meanwhile comes
 * behind the end, and what is deleted moves nothing. The end is not believed: Clerk's count of users that were created
 * before the walk began must agree, or the walk asks again and then fails. A page is short too when Clerk changes its
 * largest limit, for it takes a larger one for 10.
 */
export async function* walkByCursor(reader: Reader, begin: Position, idleMs: number): AsyncGenerator<Page> {
  let position = begin
  for (let idlePages = 0; idlePages < IDLE_PAGES_MAX; idlePages += 1) {
    if (idlePages > 0) await reader.pause(idleMs)
    const page = await nextPage(reader, position, idlePages > 0)
    demandOldestFirst(USERS, page.objects)
    const objects = freshOf(page.objects, position)
    position = advanced(position, objects, { offset: 0, dateMs: page.dateMs })
    const isLast = !page.isFull && (await isComplete(reader, position))
    if (objects.length > 0 || isLast) yield { objects, position, isLast, total: undefined }
    if (isLast) return
    if (objects.length > 0) idlePages = -1
  }
  throw inconsistent(USERS, `the list ends after ${position.read} users, and the count says more`)
}

/** By time once a page brought nothing new: the cursor's user may be gone, and Clerk may not say so. */
async function nextPage(reader: Reader, position: Position, isByTime: boolean): Promise<ReadPage> {
  const cursors = isByTime ? [] : position.recent.slice(-CURSORS_TRIED).reverse()
  for (const { id } of cursors) {
    const page = await behindCursor(reader, position, id)
    if (page) return page
  }
  return demandPage(await reader.page(USERS, { ...ASCENDING, ...windowOf(position, lastCreatedMs(position)) }))
}

/** Undefined when Clerk does not know the cursor's user any more. */
async function behindCursor(reader: Reader, position: Position, id: string): Promise<ReadPage | undefined> {
  try {
    return await reader.page(USERS, { ...ASCENDING, ...windowOf(position), starting_after: id })
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

/** Counts a millisecond less on both sides, for the same reason: it must not count what the walk leaves out. */
async function isComplete(reader: Reader, { window, settled, settledBeforeMs }: Position): Promise<boolean> {
  const toMs = Math.min(window.toMs ?? Number.POSITIVE_INFINITY, settledBeforeMs)
  const count = await reader.count(`${USERS}/count`, { created_at_after: window.fromMs, created_at_before: toMs - 1 })
  return count <= settled
}

function demandPage(page: ReadPage | undefined): ReadPage {
  if (page) return page
  throw new ClerkApiError('clerk_api_refused', `Clerk's API knows no ${USERS}`)
}
