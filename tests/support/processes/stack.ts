import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Delivery,
  type Difference,
  differences,
  expectedTables,
  openServices,
  openTables,
  type ServerControl,
  type Tables,
} from '@clerk-mirror/devstack'
import { partition, partitions } from '@clerk-mirror/queue/enqueue'
import { Releasers } from '@clerk-mirror/runtime'
import { Cluster, Redis } from 'ioredis'
import { inject } from 'vitest'
import { findDatabaseServer } from '../../../packages/devstack/src/services/database-files.js'
import { findRedisServer } from '../../../packages/devstack/src/services/redis-server.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import type { IngestTarget } from '../http/deliveries.js'
import { until } from '../until.js'
import { type Environment, Program, runCli } from './processes.js'

/** Which servers a test may freeze, kill and bring back. */
type Own = 'own redis' | 'own redis and database'

export type IngestProcess = Program & IngestTarget
export type WorkerProcess = Program & { url: string }

/** The programs' queues, as many as the tests need; a Redis of its own isolates them from other tests. */
const PARTITIONS = partitions(4)
const { key } = partition('{clerk-0}')

/** False where the server programs are not installed: no other kind of server can be frozen. Says so, once a file. */
export async function canOpenHouse(own: Own): Promise<boolean> {
  const needed = own === 'own redis' ? [findRedisServer()] : [findRedisServer(), findDatabaseServer()]
  if (!(await Promise.all(needed)).includes(undefined)) return true
  console.warn(`SKIPPED: tests with their ${own}, because a server program is not installed`)
  return false
}

/**
 * Servers of a test's own, with the mirror's tables in the database and nothing in Redis; or with a Redis that is
 * given.
 */
export async function openHouse(own: Own, redisUrl?: string): Promise<House> {
  await using owned = new Releasers()
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-house-'))
  owned.defer(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))
  const databaseUrl = own === 'own redis' ? inject('databaseUrl') : undefined
  const services = owned.use(
    await openServices({ dataDir, redisUrl, databaseUrl, say: () => {}, tuning: 'fast-throwaway' }),
  )
  const url = new URL(databaseUrl ?? services.database.adminUrl)
  url.pathname = `/clerk_mirror_${randomBytes(6).toString('hex')}`
  const env = {
    REDIS_URL: services.redis.url,
    DATABASE_URL: url.href,
    CLERK_WEBHOOK_SIGNING_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
  }
  const migrated = await runCli('migrate', env)
  if (migrated.code !== 0) throw new Error(`the database was not prepared: ${migrated.stderr}`)
  if (databaseUrl !== undefined) owned.defer(() => queryOnce(url.href, `DROP DATABASE ${url.pathname.slice(1)}`))
  const tables = owned.use(await openTables(url.href))
  const client = clientOf(env.REDIS_URL)
  client.on('error', () => {}) // it is killed on purpose
  owned.defer(() => client.disconnect())
  return new House({ env, tables, client, redis: services.redis, database: services.database }, owned.move())
}

function clientOf(url: string): Redis | Cluster {
  const nodes = url.split(',').map((node) => new URL(node.includes('://') ? node : `redis://${node}`))
  const { password = '' } = nodes[0] ?? {}
  if (nodes.length === 1) return new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  const places = nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port) }))
  return new Cluster(places, { redisOptions: { password, maxRetriesPerRequest: null } })
}

type Server = { readonly control?: ServerControl }
type Furniture = {
  env: Environment & { CLERK_WEBHOOK_SIGNING_SECRET: string; DATABASE_URL: string; REDIS_URL: string }
  tables: Tables
  client: Redis | Cluster
  redis: Server
  database: Server
}

export class House implements AsyncDisposable {
  readonly env: Furniture['env']
  readonly tables: Tables
  /** A client of the test's own. */
  readonly client: Redis | Cluster
  readonly #servers: Record<'redis' | 'database', Server>
  readonly #owned: AsyncDisposable
  readonly #programs = new Releasers()

  constructor({ env, tables, client, ...servers }: Furniture, owned: AsyncDisposable) {
    this.env = env
    this.tables = tables
    this.client = client
    this.#servers = servers
    this.#owned = owned
  }

  get redis(): ServerControl {
    return controlOf(this.#servers.redis)
  }

  get database(): ServerControl {
    return controlOf(this.#servers.database)
  }

  /** Brings the servers back, from any state that a failed test has left. */
  async mend(): Promise<void> {
    for (const { control } of Object.values(this.#servers)) {
      await control?.start()
      control?.resume()
    }
  }

  /** Returns as soon as it takes requests. */
  async ingest(env: Environment = {}): Promise<IngestProcess> {
    const program = this.#start('ingest', env)
    const { port } = await program.says('ingest.listening')
    return Object.assign(program, { url: `http://127.0.0.1:${port}`, secret: this.env.CLERK_WEBHOOK_SIGNING_SECRET })
  }

  /** Returns as soon as it tells how it is. */
  async worker(env: Environment = {}): Promise<WorkerProcess> {
    const program = this.#start('worker', env)
    const { port } = await program.says('health.listening')
    return Object.assign(program, { url: `http://127.0.0.1:${port}` })
  }

  /** Returns as soon as it takes requests. */
  async console(env: Environment): Promise<WorkerProcess> {
    const program = this.#start('console', env)
    const { port } = await program.says('console.listening')
    return Object.assign(program, { url: `http://127.0.0.1:${port}` })
  }

  /** How many events are in each state, in all partitions. */
  async counts() {
    const sum = async (sizeOf: (key: string) => Promise<number>, name: string) =>
      (await Promise.all(PARTITIONS.map((each) => sizeOf(each.key(name))))).reduce((total, size) => total + size, 0)
    const listSize = (name: string) => sum((list) => this.client.llen(list), name)
    const setSize = (name: string) => sum((set) => this.client.zcard(set), name)
    const [wait, active] = await Promise.all([listSize('wait'), listSize('active')])
    const [delayed, failed] = await Promise.all([setSize('delayed'), setSize('failed')])
    return { wait, active, delayed, failed }
  }

  /** Waits until nothing of any reaction is in the outbox or in its queue, dead letters included. */
  reacted(patienceMs?: number): Promise<void> {
    return until(async () => {
      const [{ rows } = { rows: 1 }] = await this.query<{ rows: unknown }>(
        'SELECT COUNT(*) AS `rows` FROM reaction_outbox',
      )
      const runs = await this.client.keys('{clerk-0}-*:clerk-reactions:x_*')
      return Number(rows) === 0 && runs.length === 0
    }, patienceMs)
  }

  /** The fields of the job that holds an event; empty when there is none. */
  job(eventId: string): Promise<Record<string, string>> {
    return this.client.hgetall(key(eventId))
  }

  query<Row>(sql: string, params?: unknown[]): Promise<Row[]> {
    return queryOnce(this.env.DATABASE_URL, sql, params)
  }

  async isDead(eventId: string): Promise<boolean> {
    return (await this.client.zscore(key('failed'), eventId)) !== null
  }

  /** Waits until no event waits, runs or is to be tried again. */
  quiet(patienceMs?: number): Promise<void> {
    return until(async () => {
      const { wait, active, delayed } = await this.counts()
      return wait + active + delayed === 0
    }, patienceMs)
  }

  /** Waits until each of these events has its row in the ledger, and all is quiet. */
  async settled(eventIds: Iterable<string>, patienceMs?: number): Promise<void> {
    const ids = [...new Set(eventIds)]
    await until(async () => (await this.tables.outcomesOf(ids)).size === ids.length, patienceMs)
    await this.quiet()
  }

  /** The differences between the tables and an independent model for these events' users; empty when all is right. */
  async differences(deliveries: readonly Delivery[]): Promise<Difference[]> {
    const expected = expectedTables(deliveries)
    return differences(expected, await this.tables.read([...expected.objects.keys()]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#programs[Symbol.asyncDispose]()
    await this.#owned[Symbol.asyncDispose]()
  }

  #start(app: 'ingest' | 'worker' | 'console', env: Environment): Program {
    const anyPorts = { INGEST_PORT: '0', METRICS_PORT: '0', WORKER_PORT: '0', CONSOLE_PORT: '0' }
    return this.#programs.use(new Program(app, { env: { ...anyPorts, ...this.env, ...env } }))
  }
}

function controlOf({ control }: Server): ServerControl {
  if (!control) throw new Error('this server is shared with other tests')
  return control
}

async function queryOnce<Row>(url: string, sql: string, params?: unknown[]): Promise<Row[]> {
  await using connection = await connectOnce(parseDatabaseUrl(url))
  return await connection.query(sql, params)
}
