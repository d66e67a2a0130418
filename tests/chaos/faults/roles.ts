import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Releasers } from '@clerk-mirror/runtime'
import type { Random } from '../../../packages/devstack/src/random.js'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { openPrivateRedis } from '../../support/queue/private-redis.js'
import { until } from '../../support/until.js'
import type { Part } from '../oracle/journal.js'
import type { Ended, Fault, Scene } from '../stage/scene.js'
import { recordPromise } from '../totals.js'
import { holdMs } from './processes.js'

const PATIENCE_MS = 60_000
const MOVED_WITHIN_MS = 5_000

type Client = Scene['site']['redis']

/** As Redis does it when an operator plans it: writes wait, the replica catches up, and the two change places. */
async function changePlaces(from: Client, to: Client, toPort: number): Promise<void> {
  await until(async () => /master_link_status:up/.test(await to.info('replication')), PATIENCE_MS)
  await from.call('FAILOVER', 'TO', '127.0.0.1', toPort, 'TIMEOUT', 10_000)
  await until(async () => /role:master/.test(await to.info('replication')), PATIENCE_MS)
  await until(async () => /role:slave/.test(await from.info('replication')), PATIENCE_MS)
}

/** Every process is at work behind the name, on events that came after the name moved. */
async function watchMoves({ fleet, journal, totals, violated }: Scene, movedAtMs: number): Promise<void> {
  const promise = 'after a failover that broke no connection, every process is on the new Redis'
  const parts: Part[] = [
    ...fleet.ingests.map(({ member }) => ({ ingest: member.name })),
    ...fleet.workers.map(({ member }) => ({ worker: member.name })),
  ]
  const times = await Promise.all(parts.map((part) => journal.recovery(movedAtMs, part, PATIENCE_MS)))
  for (const [index, tookMs] of times.entries()) {
    if (tookMs !== null) recordPromise(totals, promise, MOVED_WITHIN_MS, tookMs)
    else violated(promise, `${JSON.stringify(parts[index])} not within ${PATIENCE_MS / 1000} s`)
  }
}

/** A replica is promoted, the old master follows it and keeps all connections; then the same way back. */
async function promoteReplica(scene: Scene, random: Random): Promise<Ended> {
  const { site, fleet } = scene
  await using owned = new Releasers()
  const program = await findRedisServer()
  if (program === undefined) throw new Error('there is no Redis server program on this machine')
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-standby-'))
  owned.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  const { password, port } = new URL(site.redisUrl)
  const links = [...fleet.ingests, ...fleet.workers].map(({ redis }) => redis)
  const standby = await openPrivateRedis(program, folder, password, owned)
  await site.redis.config('SET', 'masterauth', password)
  await standby.client.replicaof('127.0.0.1', port)
  await changePlaces(site.redis, standby.client, standby.port)
  await pause(holdMs(random)) // the name service is a little late
  for (const link of links) link.retarget(standby.port)
  await watchMoves(scene, performance.now())
  await changePlaces(standby.client, site.redis, Number(port))
  const endedAtMs = performance.now()
  for (const link of links) link.retarget(Number(port))
  await watchMoves(scene, endedAtMs)
  return { endedAtMs }
}

/**
 * The fault of a pool that was filled while the server was read-only: those connections stay read-only for life, and
 * new ones may write.
 */
async function refuseKeptConnections({ site, fleet, totals }: Scene, random: Random): Promise<Ended> {
  const opened = totals.breakersOpened
  await site.query('SET GLOBAL TRANSACTION READ ONLY')
  for (const { database } of fleet.workers) database.cut()
  await until(() => totals.breakersOpened > opened, PATIENCE_MS).catch(() => {})
  await pause(holdMs(random))
  const endedAtMs = performance.now()
  await site.query('SET GLOBAL TRANSACTION READ WRITE')
  return { endedAtMs }
}

export const FAULTS_OF_ROLES: readonly Fault[] = [
  { name: 'Redis replica promoted, connections kept', inject: promoteReplica },
  { name: 'MariaDB read-only on kept connections', inject: refuseKeptConnections },
]
