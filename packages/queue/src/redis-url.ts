/** Where Redis is. More than one node is a cluster. */
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
  const nodes = [url, ...others.map((node) => nodeUrl(node.includes('://') ? node : `${url.protocol}//${node}`))]
  const database = url.pathname.replace(/^\//, '') || '0'
  if (!/^\d{1,4}$/.test(database)) throw new Error('has a path that is not the number of a database')
  if (nodes.length > 1 && database !== '0') throw new Error('names a database, and a cluster has but one')
  return {
    nodes: nodes.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || DEFAULT_PORT),
    })),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
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
  return url
}
