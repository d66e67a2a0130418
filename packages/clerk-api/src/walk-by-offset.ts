import { ClerkApiError } from './clerk-api-error.js'
import { IDLE_PAGES_MAX, OVERLAP_OBJECTS_MAX, OVERLAP_SHARE, PAGE_OBJECTS } from './limits.js'
import { advanced, freshOf, lastCreatedMs } from './position.js'
import { demandOldestFirst, inconsistent, type Query, type Reader, type ReadPage } from './reader.js'
import type { Page, Position } from './walk.js'

export type OffsetList = {
  path: string
  endpoint: string
  query?: Query
  /** The list is below an object that may be gone, and then it is empty. */
  hasParent?: true
}

/**
 * A list that Clerk pages by offset, oldest first. Each object that is deleted meanwhile moves those behind it forward,
 * so pages overlap, and a page must join the pages before it: it begins with an object that the walk has passed, or the
 * walk goes back by a page. The end is where Clerk's own total is.
 */
export async function* walkByOffset(
  reader: Reader,
  list: OffsetList,
  begin: Position,
  idleMs: number,
): AsyncGenerator<Page> {
  let position = begin
  let offset = begin.offset
  for (let idlePages = 0; idlePages < IDLE_PAGES_MAX; ) {
    const page = await readAt(reader, list, offset)
    if (page === undefined) return
    const total = totalOf(list, page)
    demandOldestFirst(list.endpoint, page.objects)
    if (offset > 0 && !joins(page, position)) {
      offset = Math.max(0, Math.min(offset, total) - STEP_BACK)
      continue
    }
    const objects = freshOf(page.objects, position)
    const endsAt = offset + page.objects.length
    const isLast = endsAt >= total
    offset = isLast ? endsAt : endsAt - overlapOf(page)
    position = advanced(position, objects, offset)
    if (objects.length > 0 || isLast) yield { objects, position, isLast, total }
    if (isLast) return
    idlePages = objects.length > 0 ? 0 : idlePages + 1
    if (page.objects.length === 0) await reader.pause(idleMs)
  }
  throw inconsistent(list.endpoint, `the list brings nothing new after ${position.read}, and its total says more`)
}

const STEP_BACK = PAGE_OBJECTS - OVERLAP_OBJECTS_MAX

async function readAt(reader: Reader, list: OffsetList, offset: number): Promise<ReadPage | undefined> {
  const { path, endpoint, query, hasParent } = list
  const page = await reader.page(path, { ...query, order_by: '+created_at', offset }, endpoint)
  if (page || hasParent) return page
  throw new ClerkApiError('clerk_api_refused', `Clerk's API knows no ${endpoint}`)
}

function totalOf({ endpoint }: OffsetList, { total }: ReadPage): number {
  if (total !== undefined) return total
  throw inconsistent(endpoint, 'the page comes without a total')
}

/** Whether no object can be missing between the pages before and this one. */
function joins({ objects }: ReadPage, position: Position): boolean {
  const [first] = objects
  if (first === undefined) return false
  return first.createdAtMs < lastCreatedMs(position) || objects.some((object) => isRecent(object, position))
}

const isRecent = ({ id }: { id: string }, { recent }: Position) => recent.some((each) => each.id === id)

/** At least one row, so that the next page can show that it joins. */
const overlapOf = ({ objects: { length } }: ReadPage) =>
  Math.min(OVERLAP_OBJECTS_MAX, Math.ceil(length * OVERLAP_SHARE), Math.max(0, length - 1))
