import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openServices, type ServerControl, type Services } from '@clerk-mirror/devstack'
import { migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { partition } from '@clerk-mirror/queue/enqueue'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { type Oracle, openOracle, type Query } from '../../support/invariants.js'
import { type Disk, freeDisk, openDisk } from '../faults/disk.js'
import { mendApplication } from '../faults/schema-drift.js'

const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))
const DATABASE = 'clerk_chaos'
const WORKER_ACCOUNT = 'chaos_worker'
/** A question of ours must not wait for a Redis that is frozen on purpose. */
const ANSWER_WITHIN_MS = 2_000
const STARTS = 20
const START_AFTER_MS = 500

export const { key } = partition('{clerk-0}')

/** The servers under the run, and ways to them that no fault touches. */
export type Site = AsyncDisposable & {
  redisServer: ServerControl
  databaseServer: ServerControl
  redisUrl: string
  /** Of an account that may do everything. */
  adminUrl: string
  /** Of one that may read and write rows, as a worker's should: `read_only` holds for it. */
  workerUrl: string
  redis: Redis
  query: Query
  oracle: Oracle
  versions: string
  /** Null where this machine does not allow a mount. */
  disk: Disk | null
}

/** On the data of an earlier run where the folder has some. */
export async function openSite(folder: string, onServerFailure: (server: string) => void): Promise<Site> {
  await using owned = new Releasers()
  const say = (line: string) => {
    if (!line.includes('ended unexpectedly')) return
    const server = line.startsWith('Redis') ? services.redis : services.database
    onServerFailure(line.split(' ', 1).join())
    void startAgain(controlOf(server))
  }
  freeDisk(folder)
  const services: Services = owned.use(await openServices({ dataDir: folder, say, tuning: 'durable' }))
  const disk = await openDisk(folder, controlOf(services.database))
  if (disk) owned.use(disk)
  const adminUrl = `${services.database.adminUrl}${DATABASE}`
  const options = parseDatabaseUrl(adminUrl)
  await migrate(options, { folder: MIGRATIONS, log: () => undefined })
  let connection = await connectOnce(options)
  owned.defer(() => connection.destroy())
  const query: Query = async (sql, params) => {
    // Faults kill it, and the server drops a connection that was silent for a while.
    if (!connection.isValid()) connection = await connectOnce(options)
    return await connection.query(sql, params)
  }
  await mendApplication(query)
  const workerUrl = await createWorkerAccount(query, folder, adminUrl)
  const redis = new Redis(services.redis.url, {
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
    commandTimeout: ANSWER_WITHIN_MS,
  })
  redis.on('error', () => {}) // it is killed on purpose
  owned.defer(() => redis.disconnect())
  const [server] = await query<{ version: string }>('SELECT VERSION() AS version')
  const redisVersion = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1]
  const scope = owned.move()
  return {
    redisServer: controlOf(services.redis),
    databaseServer: controlOf(services.database),
    redisUrl: services.redis.url,
    ...{ adminUrl, workerUrl, redis, query, disk },
    oracle: await openOracle(query),
    versions: `Node ${process.version}, Redis ${redisVersion}, ${server?.version}`,
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

/** As the supervisor of a server does; while its disk is full it may need several tries. */
async function startAgain(server: ServerControl): Promise<void> {
  for (let attempt = 0; attempt < STARTS; attempt += 1) {
    await pause(START_AFTER_MS)
    const isUp = await server.start().then(
      () => true,
      () => false,
    )
    if (isUp) return
  }
}

function controlOf({ control }: { control?: ServerControl }): ServerControl {
  if (!control) throw new Error('faults need server programs of their own: install redis-server and mariadb-server')
  return control
}

/** Least privilege: rows and nothing else. */
async function createWorkerAccount(query: Query, folder: string, adminUrl: string): Promise<string> {
  const password = randomBytes(12).toString('hex')
  const account = `'${WORKER_ACCOUNT}'@'127.0.0.1'`
  await query(`DROP USER IF EXISTS ${account}`)
  await query(`CREATE USER ${account} IDENTIFIED BY '${password}'`)
  await query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${DATABASE}.* TO ${account}`)
  mkdirSync(folder, { recursive: true })
  const url = new URL(adminUrl)
  url.username = WORKER_ACCOUNT
  url.password = password
  return url.href
}

/** The signing secret of a run: the same after an interruption. */
export function keptSecret(folder: string): string {
  const path = join(folder, 'signing-secret')
  try {
    return readFileSync(path, 'utf8')
  } catch {
    mkdirSync(folder, { recursive: true })
    const secret = `whsec_${randomBytes(24).toString('base64')}`
    writeFileSync(path, secret, { mode: 0o600 })
    return secret
  }
}
