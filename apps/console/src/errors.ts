/** Why the console refuses or fails. `Code` in the name lets a test find them and ask docs/errors.md for each. */
export type ConsoleCode =
  | 'sign_in_required'
  | 'wrong_token'
  | 'too_many_attempts'
  | 'role_forbidden'
  | 'foreign_form'
  | 'invalid_request'
  | 'not_found'
  | 'payload_too_large'
  | 'queue_unavailable'
  | 'database_unavailable'
  | 'installation_mismatch'
  | 'database_unstamped'
  | 'no_answer'
  | 'internal'

/** The status and the message of each code. */
export const REFUSALS: Readonly<Record<ConsoleCode, { status: number; title: string; message: string }>> = {
  sign_in_required: {
    status: 401,
    title: 'Please sign in',
    message: 'The API takes one of the tokens of CONSOLE_TOKEN: "Authorization: Bearer …".',
  },
  wrong_token: { status: 401, title: 'Wrong token', message: 'No account has this token.' },
  too_many_attempts: {
    status: 429,
    title: 'Too many attempts',
    message: 'This token is wrong, and too many wrong ones came from your address. Wait a few minutes.',
  },
  role_forbidden: {
    status: 403,
    title: 'Not with this account',
    message: 'Viewers look; only operators replay and discard.',
  },
  foreign_form: {
    status: 403,
    title: 'This form is not from here',
    message: 'Nothing was done. Open the page again and repeat it; a form is good for one sign-in.',
  },
  invalid_request: { status: 400, title: 'This cannot be asked', message: 'A value is not one that is known here.' },
  not_found: { status: 404, title: 'There is nothing here', message: 'The address leads to no page.' },
  payload_too_large: { status: 413, title: 'Too much at once', message: 'Select fewer dead letters, or use a filter.' },
  queue_unavailable: {
    status: 503,
    title: 'Redis does not answer',
    message:
      'Without Redis, events can be neither seen nor moved. Ingest answers 503 meanwhile and Clerk sends again: nothing is ' +
      'lost. See whether Redis runs and REDIS_URL is right; the console goes on asking.',
  },
  database_unavailable: {
    status: 503,
    title: 'MySQL does not answer',
    message:
      'Workers hold their events until it does: nothing is lost. See whether MySQL runs and DATABASE_URL is right; ' +
      'the console goes on asking.',
  },
  installation_mismatch: {
    status: 503,
    title: 'Redis and MySQL belong to different installations',
    message: 'REDIS_URL, QUEUE_NAMESPACE or DATABASE_URL of this console leads to the wrong place.',
  },
  database_unstamped: {
    status: 503,
    title: 'MySQL belongs to no installation yet, and Redis to one',
    message:
      'REDIS_URL, QUEUE_NAMESPACE or DATABASE_URL of this console leads to the wrong place, or the database is new.',
  },
  no_answer: {
    status: 503,
    title: 'No answer in time',
    message:
      'Redis or MySQL took too long. If it stays so, see which of them is overloaded or frozen: /readyz of ingest and ' +
      'worker say. Events are not lost meanwhile.',
  },
  internal: { status: 500, title: 'Something went wrong here', message: 'It is a bug of ours; the log has it.' },
}

/** Ends a request with a code; `detail` says more than the code's own message where that helps. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ConsoleCode
  readonly detail: string | undefined

  constructor(code: ConsoleCode, detail?: string, cause?: unknown) {
    super(detail ?? REFUSALS[code].message, cause === undefined ? undefined : { cause })
    this.code = code
    this.detail = detail
  }
}
