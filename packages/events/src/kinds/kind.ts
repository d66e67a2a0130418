import type { JsonObject } from '../fields.js'

/** Whom an object is about. A tombstone of that user or organization tombstones the object too. */
export type Subjects = { userId: string | null; organizationId: string | null }

export type Kind = {
  subjects: (data: JsonObject) => Subjects
  /**
   * What becomes of an object whose user was deleted: it goes too, or, where it belongs to many, it stays and only
   * its reference is cleared.
   */
  whenUserIsDeleted: 'tombstone' | 'clear-reference'
  /** Members, at any depth, that are never stored: secrets, and copies of other people's data. */
  omit: readonly string[]
}
