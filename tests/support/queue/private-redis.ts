import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { choosePort } from '../../../packages/devstack/src/services/ports.js'
import { redisAnswers } from '../../../packages/devstack/src/services/redis-server.js'
import { type ServerControl, ServerProcess } from '../../../packages/devstack/src/services/server-process.js'

/** Lines of redis.conf. */
type Settings = Readonly<Record<string, string | number>>

/** `client` is a plain connection to this one server, in any role. */
export type PrivateRedis = {
  port: number
  server: ServerControl
  client: Redis
  /** For its next start. */
  configure: (settings: Settings) => void
}

/** A private Redis that keeps acknowledged writes, in a folder of this name; its life is owned. */
export async function openPrivateRedis(
  program: string,
  folder: string,
  password: string,
  owned: Releasers,
  more: Settings = {},
): Promise<PrivateRedis> {
  const port = await choosePort()
  const data = join(folder, String(port))
  mkdirSync(data, { mode: 0o700 })
  const settings = {
    ...{ bind: '127.0.0.1', port, requirepass: password, masterauth: password, dir: data, save: '""' },
    ...{ appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction', 'repl-diskless-sync-delay': 0 },
    ...more,
  }
  const config = join(data, 'redis.conf')
  const configure = (next: Settings) => {
    const lines = Object.entries({ ...settings, ...next }).map(([key, value]) => `${key} ${value}\n`)
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
