import type { JsonObject } from '../fields.js'

/** Whom an object is about. A tombstone of that user or organization tombstones the object too. */
export type Subjects = { userId: string | null; organizationId: string | null }

/**
 * What the mirror knows of a kind of Clerk object. `Read` is what it reads for the kind's typed table; `null` for a
 * kind that has a head and no table.
 */
export type Kind<Read = unknown> = {
  subjects: (data: JsonObject) => Subjects
  /**
   * What becomes of an object whose user was deleted: it goes too, or, where it belongs to many, it stays and only
   * its reference is cleared.
   */
  whenUserIsDeleted: 'tombstone' | 'clear-reference'
  /** Members that say by an address whom an object is about that names no user, such as an invitation. */
  addresses?: readonly string[]
  /** Members that hold the id of a user without the object being about them, such as who created it. */
  references?: readonly string[]
  /** Members, at any depth, that are never stored: secrets, and copies of other people's data. */
  omit: readonly string[]
  /** `text` is the JSON that `data` was parsed from, for what is to be kept letter by letter. */
  read: (data: JsonObject, text: string) => Read
}
