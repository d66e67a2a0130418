import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FaultProxy, openFaultProxy } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { until } from '../until.js'
import { openPrivateRedis, type PrivateRedis } from './private-redis.js'

/** A master and its replica behind one name, as a managed Redis with a standby is. */
export type RedisPair = AsyncDisposable & {
  /** As `REDIS_URL` would hold it: where the name leads new connections to. */
  url: string
  password: string
  /** The name: `retarget` changes where it leads, and keeps the connections that there are. */
  name: FaultProxy
  master: () => PrivateRedis
  replica: () => PrivateRedis
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
    await openPrivateRedis(program, folder, password, owned),
    await openPrivateRedis(program, folder, password, owned),
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

async function follow(replica: PrivateRedis, master: PrivateRedis): Promise<void> {
  await replica.client.replicaof('127.0.0.1', master.port)
  await until(async () => /master_link_status:up/.test(await replica.client.info('replication')))
}
