/** Every refusal of profiles: its code, status and text. docs/errors.md explains them. */
export const REFUSALS = {
  invalid_query: { status: 400, message: 'A parameter of the query is not valid.' },
  invalid_cursor: { status: 400, message: 'This cursor is not one that a list has given.' },
  invalid_json: { status: 400, message: 'The body is not JSON.' },
  invalid_profile: { status: 400, message: 'Some fields are not valid; "fields" says which, and why.' },
  malformed_request: { status: 400, message: 'This is not a valid HTTP request.' },
  missing_token: { status: 401, message: 'Send a session token of Clerk: Authorization: Bearer …' },
  invalid_token: { status: 401, message: 'The session token is not valid here.' },
  expired_token: { status: 401, message: 'The session token has expired; get a new one.' },
  cross_site: { status: 403, message: 'A page of another site must not do this with your cookie.' },
  not_found: { status: 404, message: 'There is nothing here.' },
  profile_not_found: { status: 404, message: 'No profile has this name.' },
  method_not_allowed: { status: 405, message: 'This path does not take that method.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  profile_conflict: {
    status: 409,
    message: 'A rule of this site does not allow this profile, as when another profile has the same value already.',
  },
  user_deleted: { status: 410, message: 'This user has been deleted.' },
  payload_too_large: { status: 413, message: 'The body is larger than 256 KiB.' },
  unsupported_media_type: { status: 415, message: 'The body must be application/json.' },
  headers_too_large: { status: 431, message: 'The headers are larger than 16 KiB.' },
  internal: { status: 500, message: 'Something went wrong here; the log has it.' },
  sign_in_not_configured: { status: 501, message: 'Sign-in needs CLERK_JWT_KEY, which is not set.' },
  overloaded: { status: 503, message: 'Too many requests are waiting; try again.' },
  database_unavailable: { status: 503, message: 'The profiles cannot be reached; try again.' },
} as const satisfies Record<string, { status: number; message: string }>

export type RefusalCode = keyof typeof REFUSALS

/** The faults of an edit: a sentence for each field, by its path, such as `blocks.2.url`. */
export type FieldErrors = Readonly<Record<string, string>>

export const refusalBody = (code: RefusalCode, fields?: FieldErrors) => ({
  error: { code, message: REFUSALS[code].message, ...(fields && { fields }) },
})

/** A refusal on its way out of a route. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode
  readonly fields: FieldErrors | undefined

  constructor(code: RefusalCode, fields?: FieldErrors) {
    super(REFUSALS[code].message)
    this.code = code
    this.fields = fields
  }
}

/** Fastify's own refusals in our terms. */
export const CODE_OF_FASTIFY: Readonly<Record<string, RefusalCode>> = {
  FST_ERR_VALIDATION: 'invalid_query',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

/** Node's own refusals: of requests that never became one. */
export const CODE_OF_NODE: Readonly<Record<string, RefusalCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}
