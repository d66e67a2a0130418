import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FaultProxy, openFaultProxy } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { findRedisServer, redisAnswers } from '../../../packages/devstack/src/services/redis-server.js'
import { type ServerControl, ServerProcess } from '../../../packages/devstack/src/services/server-process.js'
import { until } from '../until.js'

/** `client` is a plain connection to this one server, in any role. */
export type PairedServer = {
  port: number
  server: ServerControl
  client: Redis
  /** For its next start. */
  configure: (settings: Record<string, string | number>) => void
}

/** A master and its replica behind one name, as a managed Redis with a standby is. */
export type RedisPair = AsyncDisposable & {
  /** As `REDIS_URL` would hold it: where the name leads new connections to. */
  url: string
  password: string
  /** The name: `retarget` changes where it leads, and keeps the connections that there are. */
  name: FaultProxy
  master: () => PairedServer
  replica: () => PairedServer
  /** The replica takes over, and the old master follows it. The name and all connections stay as they are. */
  promote: () => Promise<void>
  /** The name leads new connections to the other server, as a name service makes it a moment later. */
  moveName: () => void
}

export async function openRedisPair(): Promise<RedisPair> {
  await using owned = new Releasers()
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-pair-'))
  owned.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  const program = await findRedisServer()
  if (program === undefined) throw new Error('there is no Redis server program on this machine')
  const password = randomBytes(12).toString('hex')
  let [master, replica] = [
    await openServer(program, folder, password, owned),
    await openServer(program, folder, password, owned),
  ]
  await follow(replica, master)
  const name = owned.use(await openFaultProxy({ targetPort: master.port }))
  const scope = owned.move()
  return {
    ...{ url: `redis://:${password}@127.0.0.1:${name.port}`, password, name },
    master: () => master,
    replica: () => replica,
    async promote() {
      await replica.client.replicaof('NO', 'ONE')
      ;[master, replica] = [replica, master]
      await follow(replica, master)
    },
    moveName: () => name.retarget(master.port),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

async function follow(replica: PairedServer, master: PairedServer): Promise<void> {
  await replica.client.replicaof('127.0.0.1', master.port)
  await until(async () => /master_link_status:up/.test(await replica.client.info('replication')))
}

/** A private Redis that keeps acknowledged writes, in a folder of this name; its life is owned. */
export async function openServer(
  program: string,
  folder: string,
  password: string,
  owned: Releasers,
): Promise<PairedServer> {
  const port = await choosePort()
  const data = join(folder, String(port))
  mkdirSync(data, { mode: 0o700 })
  const settings = {
    ...{ bind: '127.0.0.1', port, requirepass: password, masterauth: password, dir: data, save: '""' },
    ...{ appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction', 'repl-diskless-sync-delay': 0 },
  }
  const config = join(data, 'redis.conf')
  const configure = (more: Record<string, string | number>) => {
    const lines = Object.entries({ ...settings, ...more }).map(([key, value]) => `${key} ${value}\n`)
    writeFileSync(config, lines.join(''), { mode: 0o600 })
  }
  configure({})
  const server = await ServerProcess.start({
    title: `Redis ${port}`,
    program,
    argv0: 'redis-server',
    args: [config],
    logPath: join(data, 'redis.log'),
    recordPath: join(data, 'redis.process.json'),
    isReady: () => redisAnswers({ port, password }),
    say: () => {},
  })
  owned.defer(() => server.kill())
  const client = new Redis({
    port,
    password,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
  })
  client.on('error', () => {}) // its server is killed on purpose
  owned.defer(() => client.disconnect())
  return { port, server, client, configure }
}
