export type ClerkApiErrorCode =
  /** No usable answer after all tries. */
  | 'clerk_api_unavailable'
  /** The secret key is revoked, mistyped or lacks the right. */
  | 'clerk_api_key_refused'
  /** Clerk no longer speaks the version of the API that this program asks for. */
  | 'clerk_api_version_refused'
  /** The instance has a feature switched off, such as organizations, so there is nothing of this kind to read. */
  | 'clerk_api_kind_disabled'
  /** Any other answer of 3xx or 4xx. */
  | 'clerk_api_refused'
  /** The answers contradict each other, so a walk cannot know that it has seen everything. */
  | 'clerk_api_inconsistent'

/** A request that Clerk's API did not answer as expected. The message names paths, states and codes, never a secret. */
export class ClerkApiError extends Error {
  override readonly name = 'ClerkApiError'
  readonly code: ClerkApiErrorCode
  /** Of the answer, where there was one. */
  readonly status: number | undefined

  constructor(code: ClerkApiErrorCode, message: string, status?: number) {
    super(message)
    this.code = code
    this.status = status
  }
}
