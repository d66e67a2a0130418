/** Limits of the profile reads. */

/** Rows that claim one username, read at once: mostly there is one, and two while a rename is in flight. */
export const CLAIMS_AT_ONCE = 5
