import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { findProgram } from '../../../packages/devstack/src/services/programs.js'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { makeCertificates } from '../http/certificates.js'

export type TlsRedis = AsyncDisposable & {
  /** `rediss://user:password@HOST:port`, for the users of the file. The server's certificate names only `localhost`. */
  url: (user: string, host?: string) => string
  /** The certificate of the authority that signed the server's. */
  caPath: string
  /** The certificate of an authority that signed nothing here. */
  strangerPath: string
  /** May do everything. */
  admin: Redis
  /** The denied attempts of users: the user and the command, key or word. */
  denials: () => Promise<string[]>
}

/** Whether this machine has the programs for it. */
export async function isTlsRedisPossible(): Promise<boolean> {
  return (await findRedisServer()) !== undefined && (await findProgram('openssl')) !== undefined
}

const PASSWORD_HASH = /#[A-Z_0-9]+/g

/**
 * A server of its own that takes only encrypted connections, and only from the users of this ACL file, with words in
 * capitals as password hashes: each gets the same made-up password.
 */
export async function openTlsRedis(aclFile: string): Promise<TlsRedis> {
  const program = await findRedisServer()
  if (program === undefined) throw new Error('no Redis server is installed')
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-tls-redis-'))
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  try {
    const { caPath, keyPath, certPath } = await makeCertificates(folder)
    const port = await choosePort()
    const password = randomBytes(24).toString('hex')
    const hash = createHash('sha256').update(password).digest('hex')
    const admin = `user admin on #${hash} ~* &* +@all`
    writeFileSync(join(folder, 'users.acl'), `${aclFile.replaceAll(PASSWORD_HASH, `#${hash}`)}\n${admin}\n`)
    mkdirSync(join(folder, 'data'))
    writeFileSync(
      join(folder, 'redis.conf'),
      [
        'bind 127.0.0.1',
        'port 0',
        `tls-port ${port}`,
        `tls-cert-file ${certPath}`,
        `tls-key-file ${keyPath}`,
        `tls-ca-cert-file ${caPath}`,
        'tls-auth-clients no',
        `aclfile ${join(folder, 'users.acl')}`,
        `dir ${join(folder, 'data')}`,
        'appendonly yes',
        'appendfsync always',
        'save ""',
        'maxmemory-policy noeviction',
        '',
      ].join('\n'),
    )
    const url = (user: string, host = 'localhost') => `rediss://${user}:${password}@${host}:${port}`
    const tls = { ca: readFileSync(caPath), servername: 'localhost' }
    const client = new Redis(url('admin', '127.0.0.1'), { tls, lazyConnect: true, retryStrategy: () => 50 })
    client.on('error', () => {}) // it is asked before it is there
    const server = await ServerProcess.start({
      title: 'Redis',
      program,
      argv0: 'redis-server',
      args: [join(folder, 'redis.conf')],
      logPath: join(folder, 'redis.log'),
      recordPath: join(folder, 'redis.json'),
      isReady: () =>
        client.ping().then(
          () => true,
          () => false,
        ),
      say: () => undefined,
    })
    return {
      url,
      caPath,
      strangerPath: join(folder, 'stranger.pem'),
      admin: client,
      async denials() {
        const entries = (await client.call('ACL', 'LOG')) as unknown[]
        return entries.map((entry) => {
          const told = Array.isArray(entry) ? pairs(entry) : (entry as Record<string, unknown>)
          return `${told['username']}: ${told['object']}`
        })
      },
      async [Symbol.asyncDispose]() {
        client.disconnect()
        await server.stop()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** RESP2 writes a map as a flat list. */
const pairs = (flat: readonly unknown[]): Record<string, unknown> =>
  Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[String(name), flat[index + 1]]] : [])))
