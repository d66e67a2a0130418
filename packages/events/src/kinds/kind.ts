import type { JsonObject } from '../fields.js'

/** The user and the organization that an object belongs to. A tombstone of either tombstones the object too. */
export type Owners = { userId: string | null; organizationId: string | null }

/**
 * The definition of a kind of Clerk object. `Read` is the content of the kind's typed table; `null` for a kind without
 * one.
 */
export type Kind<Read = unknown> = {
  owners: (data: JsonObject) => Owners
  /**
   * The fate of an object whose user was deleted: it is deleted too, or, if it is shared, only its reference is
   * cleared.
   */
  whenUserIsDeleted: 'tombstone' | 'clear-reference'
  /** Members that identify the owner by an address in an object that names no user, such as an invitation. */
  addresses?: readonly string[]
  /** Members that hold the id of a user who does not own the object, such as its creator. */
  references?: readonly string[]
  /** Members, at any depth, that are never stored: secrets, and copies of other people's data. */
  omit: readonly string[]
  /** `text` is the JSON that `data` was parsed from, for members that are kept verbatim. */
  read: (data: JsonObject, text: string) => Read
}
