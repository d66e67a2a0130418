/** Addresses and credentials of Redis. More than one node is a cluster. */
export type RedisTarget = {
  nodes: readonly { host: string; port: number }[]
  username: string | undefined
  password: string | undefined
  tls: boolean
  database: number
}

const DEFAULT_PORT = 6379

/**
 * `redis://user:password@host:port/0`, `rediss://` for TLS; several nodes separated by commas are a cluster, and take
 * user, password and TLS from the first. Throws an Error that never contains the URL.
 */
export function parseRedisUrl(raw: string): RedisTarget {
  const [first = '', ...others] = raw.split(',').map((node) => node.trim())
  const url = nodeUrl(first)
  const otherUrls = others.map((node) => nodeUrl(node.includes('://') ? node : `${url.protocol}//${node}`))
  const nodes = [url, ...otherUrls]
  const database = url.pathname.replace(/^\//, '') || '0'
  if (!/^\d{1,4}$/.test(database)) throw new Error('has a path that is not the number of a database')
  if (nodes.length > 1 && database !== '0') throw new Error('names a database, and a cluster has but one')
  if (!otherUrls.every((other) => agrees(other, url))) {
    throw new Error('gives a node behind the first another scheme, user, password or database than the first')
  }
  return {
    nodes: nodes.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || DEFAULT_PORT),
    })),
    username: decode(url.username) || undefined,
    password: decode(url.password) || undefined,
    tls: url.protocol === 'rediss:',
    database: Number(database),
  }
}

function nodeUrl(node: string): URL {
  if (!URL.canParse(node)) throw new Error('is not a URL such as redis://localhost:6379')
  const url = new URL(node)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new Error('starts with neither redis:// nor rediss://')
  if (url.hostname === '') throw new Error('names no host')
  if (url.port === '0') throw new Error('holds a port outside 1 to 65535')
  // A parameter that is ignored silently would lose a setting written for another client library.
  if (/[?#]/.test(node)) throw new Error('holds a ? or #: parameters are not known here; in a password write %3F, %23')
  return url
}

/** Only the first node's user, password and TLS are used: another value would be ignored silently. */
function agrees(other: URL, first: URL): boolean {
  const isOwnOf = (own: string, shared: string) => own !== '' && own !== shared
  return (
    other.protocol === first.protocol &&
    !isOwnOf(other.username, first.username) &&
    !isOwnOf(other.password, first.password) &&
    !isOwnOf(other.pathname.replace(/^\//, ''), '0')
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('has a user or password that is not percent-encoded: write a plain % as %25')
  }
}
