/** Every refusal of ingest: its code, status and text. docs/errors.md explains them. */
export const REFUSALS = {
  missing_header: { status: 400, message: 'A signature header is missing or empty.' },
  repeated_header: { status: 400, message: 'A signature header was sent more than once.' },
  invalid_timestamp: { status: 400, message: 'The timestamp header is not a number of seconds.' },
  stale_timestamp: { status: 401, message: 'The signature is more than five minutes old or ahead.' },
  invalid_signature: { status: 401, message: 'No signature matches.' },
  invalid_json: { status: 400, message: 'The body is not JSON.' },
  not_an_object: { status: 400, message: 'The body is not a JSON object.' },
  missing_type: { status: 400, message: 'The body has no "type" that is a string.' },
  malformed_request: { status: 400, message: 'This is not a valid HTTP request.' },
  incomplete_request: { status: 400, message: 'The connection ended before the request did.' },
  not_found: { status: 404, message: 'Webhooks go to POST /webhooks/clerk.' },
  method_not_allowed: { status: 405, message: 'This path does not take that method.' },
  request_timeout: { status: 408, message: 'The request took too long to arrive.' },
  payload_too_large: { status: 413, message: 'The body is larger than 1 MiB.' },
  unsupported_media_type: { status: 415, message: 'The body must be application/json.' },
  too_many_requests: { status: 429, message: 'Too many requests that were not signed; come again later.' },
  headers_too_large: { status: 431, message: 'The headers are larger than 16 KiB, or more than 100.' },
  internal: { status: 500, message: 'Something went wrong here; the log has it.' },
  redis_unavailable: { status: 503, message: 'The event could not be stored; try again.' },
  redis_not_replicated: { status: 503, message: 'The event is not on enough replicas; try again.' },
  redis_full: { status: 503, message: 'The queue is full; try again.' },
} as const satisfies Record<string, { status: number; message: string }>

export type RefusalCode = keyof typeof REFUSALS

export const refusalBody = (code: RefusalCode) => ({ error: { code, message: REFUSALS[code].message } })

/** Fastify's own refusals in our terms. */
export const CODE_OF_FASTIFY: Readonly<Record<string, RefusalCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_BAD_URL: 'not_found',
}

/** Node's own refusals: of requests that never became one. */
export const CODE_OF_NODE: Readonly<Record<string, RefusalCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}
