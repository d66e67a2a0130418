/** Every limit of the wire format, with its reason. docs/settings.md lists them. */

/** Milliseconds for which a signature is valid, each way. Source: Svix' and the Standard Webhooks' libraries. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60 * 1000

/** Bytes of a signing secret: Clerk's have 24, and fewer than 16 could be found by brute force. */
export const SIGNING_SECRET_BYTES_MIN = 16
