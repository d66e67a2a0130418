import type { WalkedKind } from './kinds.js'

/** An object as Clerk's API gives it. `text` is Clerk's own, letter by letter; times are 0 where it has none. */
export type ApiObject = {
  readonly id: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly text: string
}

/** Times of creation, from and including `fromMs` to and excluding `toMs`. */
export type CreatedWindow = { readonly fromMs?: number | undefined; readonly toMs?: number | undefined }

/** A part of a walk. It may be empty when it is the last. */
export type Page = {
  /** In the order of their creation; none that this walk gave before. */
  readonly objects: readonly ApiObject[]
  /** Where the walk goes on. */
  readonly position: Position
  /** Only the end of everything is: a walk that is cut short throws. */
  readonly isLast: boolean
  /** Objects at Clerk by its own count; of users, those that were there when the walk began. */
  readonly total: number
}

/** Between two pages; JSON. */
export type Position = {
  readonly kind: WalkedKind
  readonly window: CreatedWindow
  /** Objects given so far, and of them those that were created before `settledBeforeMs`. */
  readonly read: number
  readonly settled: number
  /** A time shortly before the walk's first page; 0 before that. */
  readonly settledBeforeMs: number
  /** Objects at Clerk that were created before that time, counted at the first page; 0 where a page has a total. */
  readonly settledTotal: number
  /** Of the next page, where Clerk pages by offset. */
  readonly offset: number
  /** The last objects given, the newest last. */
  readonly recent: readonly Recent[]
}

export type Recent = Pick<ApiObject, 'id' | 'createdAtMs'>
