/** The parsed `DATABASE_URL`. Holds the password: not for logs. */
export type DatabaseOptions = {
  host: string
  port: number
  user: string
  password: string
  database: string
  tls: false | DatabaseTls
  /** Maximum size of the pool. */
  connectionLimit?: number
  connectTimeoutMs?: number
}

export type DatabaseTls = {
  /** True: the certificate must lead to a trusted authority and name the host. False: encrypted, but to anyone. */
  rejectUnauthorized: boolean
  /** A PEM file with the authorities to trust instead of those that Node brings. Read when a connection is made. */
  caPath?: string
}

const DEFAULT_PORT = 3306
const MAX_PORT = 65_535
const MAX_DATABASE_NAME = 64
const MILLISECONDS_PER_SECOND = 1_000

const PARAMETERS = ['sslaccept', 'sslcert', 'connection_limit', 'connect_timeout'] as const
const SSL_ACCEPT = ['strict', 'accept_invalid_certs', 'disabled'] as const
type Parameter = (typeof PARAMETERS)[number]
type SslAccept = (typeof SSL_ACCEPT)[number]

/**
 * Reads `mysql://user:password@host:port/database?sslaccept=…` (or `mariadb://`). Throws an Error that names the fault
 * and never holds the URL or a piece of its user, password or path: when a special character was not percent-encoded,
 * any piece of the URL may be a piece of the password.
 */
export function parseDatabaseUrl(raw: string): DatabaseOptions {
  const url = URL.canParse(raw) ? new URL(raw) : fault('is not a URL like mysql://user:password@host:3306/database')
  if (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:') fault('must begin with mysql:// or mariadb://')
  if (url.hash !== '') fault('holds a #: write it as %23')
  // Then a / or ? before the @ belongs to the password, and the parsed host is a piece of it.
  if (`${url.pathname}${url.search}`.includes('@')) fault('holds an @ behind the host: write / ? @ as %2F %3F %40')
  const user = decode(url.username, 'user') || fault('names no user')
  const host = hostOf(url)
  const database = decode(url.pathname.slice(1), 'database') || fault('names no database: mysql://…/DATABASE')
  if (database.includes('/') || database.length > MAX_DATABASE_NAME) fault('holds a database name that cannot be one')

  const parameters = readParameters(url.searchParams)
  const connectionLimit = wholeNumber(parameters, 'connection_limit')
  const connectTimeoutS = wholeNumber(parameters, 'connect_timeout')
  return {
    host,
    port: portOf(url),
    user,
    password: decode(url.password, 'password'),
    database,
    tls: tlsFor(host, parameters),
    ...(connectionLimit === undefined ? {} : { connectionLimit }),
    ...(connectTimeoutS === undefined ? {} : { connectTimeoutMs: connectTimeoutS * MILLISECONDS_PER_SECOND }),
  }
}

/**
 * Whether a host is this machine or a neighbour on a private network, as in compose: loopback, or one label.
 * A label must begin with a letter, for `134744072` is the public address 8.8.8.8 written as one number.
 */
export function isLocalHost(host: string): boolean {
  return /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|[a-z][a-z0-9_-]*)$/i.test(host)
}

function tlsFor(host: string, parameters: Map<Parameter, string>): false | DatabaseTls {
  const accept = parameters.get('sslaccept')
  if (accept !== undefined && !isSslAccept(accept)) fault(`takes for sslaccept only ${SSL_ACCEPT.join(', ')}`)
  const caPath = parameters.get('sslcert')
  if (caPath === '') fault('needs a path for sslcert')
  if (caPath !== undefined && accept !== undefined && accept !== 'strict') {
    fault(`holds sslcert with sslaccept=${accept}, which checks no certificate: leave out one of the two`)
  }
  if (accept === 'disabled') return false
  if (accept === undefined && caPath === undefined && isLocalHost(host)) return false
  return { rejectUnauthorized: accept !== 'accept_invalid_certs', ...(caPath === undefined ? {} : { caPath }) }
}

function hostOf(url: URL): string {
  // `mysql:` is no scheme that URL knows: it neither decodes nor lower-cases such a host.
  const host = decode(url.hostname, 'host').toLowerCase()
  if (host === '') fault('names no host')
  return host.startsWith('[') ? host.slice(1, -1) : host
}

function portOf(url: URL): number {
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port)
  return port >= 1 && port <= MAX_PORT ? port : fault(`holds a port outside 1 to ${MAX_PORT}`)
}

function readParameters(search: URLSearchParams): Map<Parameter, string> {
  const parameters = new Map<Parameter, string>()
  for (const [name, value] of search) {
    // A silently ignored parameter would leave unencrypted a connection that was meant to be encrypted.
    if (!isParameter(name)) fault(`holds ${shown(name)}, which is not known here; known: ${PARAMETERS.join(', ')}`)
    if (parameters.has(name)) fault(`holds ${name} twice`)
    parameters.set(name, value)
  }
  return parameters
}

function wholeNumber(parameters: Map<Parameter, string>, name: Parameter): number | undefined {
  const text = parameters.get(name)
  if (text === undefined) return undefined
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : fault(`needs a whole number from 1 to 9999 for ${name}`)
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return fault(`has a ${part} that is not percent-encoded: write a plain % as %25`)
  }
}

const isParameter = (name: string): name is Parameter => PARAMETERS.some((known) => known === name)
const isSslAccept = (value: string): value is SslAccept => SSL_ACCEPT.some((known) => known === value)

/** Parameters of Prisma's and other drivers' URLs, and other spellings of ours: likely mistakes. */
const FAMILIAR =
  'ssl sslmode ssl-mode sslaccept sslcert sslidentity sslpassword usessl socket socket_timeout pool_timeout ' +
  'connection_limit connectionlimit connect_timeout connecttimeout acquiretimeout schema charset timezone ' +
  'servertimezone allowpublickeyretrieval statement_cache_size multiplestatements'

// After a ? that was not encoded comes the rest of a password, which may look like any name.
const shown = (name: string): string =>
  FAMILIAR.split(' ').includes(name.toLowerCase()) ? `the parameter ${name}` : 'a parameter'

function fault(what: string): never {
  throw new Error(what)
}
