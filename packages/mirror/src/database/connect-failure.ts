import type { DatabaseOptions } from './database-url.js'

export type ConnectFailureCode =
  | 'database_unreachable'
  | 'database_silent'
  | 'database_login_refused'
  | 'database_access_denied'
  | 'database_missing'
  | 'database_full'
  | 'database_tls_unavailable'
  | 'database_tls_required'
  | 'database_certificate_refused'
  | 'database_ca_unreadable'
  | 'database_connect_failed'
  | 'database_binlog_statement'
  | 'database_text_altered'

/** The cause of a failed connect. The message names host, port and remedy, never the user or the password. */
export class DatabaseConnectError extends Error {
  override readonly name = 'DatabaseConnectError'
  readonly code: ConnectFailureCode

  constructor(code: ConnectFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

const WHAT_HAPPENED: Record<ConnectFailureCode, string> = {
  database_unreachable: 'cannot be reached: is it running, are host and port right?',
  database_silent: 'accepts connections but does not answer',
  database_login_refused: 'refuses the user or the password',
  database_access_denied: 'does not let this user use the database',
  database_missing: 'has no such database: apply the migrations, which create it',
  database_full: 'has no connection left to give',
  database_tls_unavailable: 'offers no TLS; sslaccept=disabled connects in clear text',
  database_tls_required: 'refuses connections in clear text: remove sslaccept=disabled or ask for sslaccept=strict',
  database_certificate_refused: 'shows a certificate that is not trusted or not its own: name its authority in sslcert',
  database_ca_unreadable: 'could not be asked, because the file that sslcert names cannot be read',
  database_connect_failed: 'could not be connected to',
  database_binlog_statement:
    'writes its binary log with binlog_format=STATEMENT, which cannot log the writes of the mirror: set it to ROW or MIXED',
  database_text_altered: 'returns altered text: check its character sets, and any proxy or trigger in between',
}

/** For a server that answers but cannot be used. `where`: the place of the fault. */
export function unfit(
  { host, port }: DatabaseOptions,
  code: 'database_binlog_statement' | 'database_text_altered',
  where = '',
): DatabaseConnectError {
  const place = where === '' ? '' : ` (${where})`
  return new DatabaseConnectError(code, `the database at ${host}:${port} ${WHAT_HAPPENED[code]}${place}`)
}

const CLEAR_TEXT_HINT = ' (or it takes only TLS: then ask for it with sslaccept=strict)'

/** The server's and the driver's own numbers, and the names that Node gives to failures of sockets. */
const CODE_OF: Record<string, ConnectFailureCode> = {
  ECONNREFUSED: 'database_unreachable',
  ECONNRESET: 'database_unreachable',
  EHOSTUNREACH: 'database_unreachable',
  ENETUNREACH: 'database_unreachable',
  ENOTFOUND: 'database_unreachable',
  EAI_AGAIN: 'database_unreachable',
  ETIMEDOUT: 'database_unreachable',
  45009: 'database_unreachable', // the socket was closed
  45012: 'database_silent', // the driver's connect time-out
  45026: 'database_silent', // the driver's socket time-out
  1045: 'database_login_refused',
  1698: 'database_login_refused', // the account logs in through the local socket only
  45044: 'database_tls_required', // caching_sha2_password hands the password over in TLS or not at all
  1044: 'database_access_denied',
  1049: 'database_missing',
  1040: 'database_full',
  1203: 'database_full',
  1226: 'database_full',
  45023: 'database_tls_unavailable',
  3159: 'database_tls_required', // require_secure_transport=ON
}

// OpenSSL has some thirty reasons to refuse a certificate, and Node names each.
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS_|ISSUER|HOSTNAME_MISMATCH|^CRL_/

/** Names the cause of a failed connect. The driver's own error becomes its `cause`. */
export function connectFailure(options: DatabaseOptions, error: unknown): DatabaseConnectError {
  if (error instanceof DatabaseConnectError) return error
  const code = codeOf(error)
  // MariaDB answers a refused clear-text login as it answers a wrong password.
  const hint = code === 'database_login_refused' && options.tls === false ? CLEAR_TEXT_HINT : ''
  const message = `the database at ${options.host}:${options.port} ${WHAT_HAPPENED[code]}${hint}`
  return new DatabaseConnectError(code, message, error)
}

function codeOf(error: unknown): ConnectFailureCode {
  // A host with several addresses fails once for each.
  const one = error instanceof AggregateError ? error.errors[0] : error
  for (const key of [property(one, 'errno'), property(one, 'code')]) {
    const known = CODE_OF[key]
    if (known !== undefined) return known
    if (CERTIFICATE_CODES.test(key)) return 'database_certificate_refused'
  }
  return 'database_connect_failed'
}

function property(error: unknown, name: 'errno' | 'code'): string {
  return error instanceof Error && name in error ? String(Reflect.get(error, name)) : ''
}
