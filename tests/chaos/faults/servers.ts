import { setTimeout as pause } from 'node:timers/promises'
import type { ServerControl } from '@clerk-mirror/devstack'
import type { Random } from '../../../packages/devstack/src/random.js'
import { until } from '../../support/until.js'
import type { Ended, Fault, Scene } from '../stage/scene.js'
import { anyOf, freezeMs, holdMs, withHandsFull } from './processes.js'

type ServerName = 'redisServer' | 'databaseServer'

const PATIENCE_MS = 60_000
const DISK_NOTICED_WITHIN_MS = 20_000

async function comeBack(server: ServerControl): Promise<Ended> {
  const endedAtMs = performance.now()
  await server.start()
  return { endedAtMs }
}

const kill =
  (name: ServerName): Fault['inject'] =>
  async ({ site }, random) => {
    await site[name].kill()
    await pause(holdMs(random))
    return await comeBack(site[name])
  }

const killTwice =
  (name: ServerName): Fault['inject'] =>
  async ({ site }, random) => {
    await site[name].kill()
    await site[name].start()
    await pause(random.integer(0, 1_000))
    await site[name].kill()
    return await comeBack(site[name])
  }

const killBoth =
  (first: ServerName, second: ServerName): Fault['inject'] =>
  async ({ site }, random) => {
    await site[first].kill()
    await pause(holdMs(random))
    await site[second].kill()
    await pause(holdMs(random))
    await site[second].start()
    return await comeBack(site[first])
  }

/** A process is killed, and started again, while a server is away. */
const killWithout =
  (part: 'ingest' | 'worker', name: ServerName): Fault['inject'] =>
  async ({ site, fleet }, random) => {
    await site[name].kill()
    await pause(holdMs(random))
    const { member } = part === 'ingest' ? anyOf(fleet.ingests, random) : anyOf(fleet.workers, random)
    await member.kill()
    member.start()
    await pause(holdMs(random))
    return { ...(await comeBack(site[name])), [part]: member.name }
  }

const freeze =
  (name: ServerName): Fault['inject'] =>
  async ({ site }, random) => {
    site[name].pause()
    await pause(freezeMs(random))
    site[name].resume()
    return { endedAtMs: performance.now() }
  }

/** A limit below the memory in use: no write succeeds, not even that of a worker which would remove an event. */
async function fillRedis({ site }: Scene, random: Random): Promise<Ended> {
  await site.redis.config('SET', 'maxmemory', '1mb')
  await pause(random.integer(2_000, 5_000))
  const endedAtMs = performance.now()
  await until(() => site.redis.config('SET', 'maxmemory', '0').then(() => true), PATIENCE_MS)
  return { endedAtMs }
}

async function makeReadOnly({ site, totals }: Scene, random: Random): Promise<Ended> {
  const opened = totals.breakersOpened
  await site.query('SET GLOBAL read_only = 1')
  await until(() => totals.breakersOpened > opened, PATIENCE_MS).catch(() => {})
  await pause(holdMs(random))
  const endedAtMs = performance.now()
  await site.query('SET GLOBAL read_only = 0')
  return { endedAtMs }
}

/** Ends when a worker has met it: at first the tables have some room of their own left. */
async function fillDisk({ site, totals }: Scene): Promise<Ended> {
  const opened = totals.breakersOpened
  site.disk?.fill()
  await until(() => totals.breakersOpened > opened, DISK_NOTICED_WITHIN_MS).catch(() => {})
  const endedAtMs = performance.now()
  site.disk?.free()
  return { endedAtMs }
}

/** Every event is refused in the words of a full disk, and the canary passes: its write is none of these. */
const REFUSE = `CREATE TRIGGER chaos_refusal BEFORE INSERT ON webhook_events FOR EACH ROW
  IF NEW.event_id NOT LIKE 'clerk-mirror%' THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021; END IF`
export const REFUSE_NO_MORE = 'DROP TRIGGER IF EXISTS chaos_refusal'

/**
 * The workers' events in flight come back as stalled jobs, and run again and again during an outage; some workers die
 * of them.
 */
async function suspectsInOutage(scene: Scene, random: Random): Promise<Ended> {
  const { site, fleet } = scene
  const killAll = async () => void (await Promise.all(fleet.workers.map(({ member }) => member.kill())))
  await withHandsFull(scene, killAll)
  await site.query(REFUSE)
  for (const { member } of fleet.workers) member.start()
  // After a lease and two checks they are with others.
  await pause(random.integer(13_000, 20_000))
  await killAll()
  for (const { member } of fleet.workers) member.start()
  await pause(random.integer(13_000, 20_000))
  const ended = { endedAtMs: performance.now(), worker: anyOf(fleet.workers, random).member.name }
  await site.query(REFUSE_NO_MORE)
  return ended
}

export const FAULTS_OF_SERVERS: readonly Fault[] = [
  { name: 'kill Redis', inject: kill('redisServer') },
  { name: 'kill MariaDB', inject: kill('databaseServer') },
  { name: 'kill Redis twice', inject: killTwice('redisServer') },
  { name: 'kill MariaDB twice', inject: killTwice('databaseServer') },
  { name: 'kill Redis while MariaDB is down', inject: killBoth('databaseServer', 'redisServer') },
  { name: 'kill MariaDB while Redis is down', inject: killBoth('redisServer', 'databaseServer') },
  { name: 'kill a worker while MariaDB is down', inject: killWithout('worker', 'databaseServer') },
  { name: 'kill a worker while Redis is down', inject: killWithout('worker', 'redisServer') },
  { name: 'kill an ingest while Redis is down', inject: killWithout('ingest', 'redisServer') },
  { name: 'freeze Redis', inject: freeze('redisServer') },
  { name: 'freeze MariaDB', inject: freeze('databaseServer') },
  { name: 'full Redis', inject: fillRedis },
  { name: 'read-only MariaDB', inject: makeReadOnly },
  { name: 'suspects during an outage', inject: suspectsInOutage },
  { name: 'full disk of MariaDB', isPossible: ({ disk }) => disk !== null, inject: fillDisk },
]
