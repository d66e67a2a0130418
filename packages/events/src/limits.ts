/** Every limit of the wire format, with its reason. docs/settings.md lists them. */

/** Milliseconds that a signature is good for, each way. Source: Svix' and the Standard Webhooks' libraries. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60 * 1000

/** Bytes of a signing secret: Clerk's have 24, and 16 are the least that nobody can go through. */
export const SIGNING_SECRET_BYTES_MIN = 16
