import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Delivery, openServices, openTables, type Services, type Tables } from '@clerk-mirror/devstack'
import { connectionConfig, migrate, parseDatabaseUrl } from '@clerk-mirror/mirror'
import { openProducer, type Partition, parseRedisUrl, partitions } from '@clerk-mirror/queue/enqueue'
import type { Releasers } from '@clerk-mirror/runtime'
import { Queue } from 'bullmq'
import { type Cluster, Redis } from 'ioredis'
import { type Connection, createConnection } from 'mariadb'
import { until } from '../tests/support/until.js'
import { Child } from './child.js'
import type { Processes } from './cpu.js'
import { Program } from './program.js'
import { type Requests, signedRequests } from './traffic.js'

const LOOK_MS = 10
/** Events on their way at once while a backlog is made. */
const FILLING = 256
/** For so long nothing may move while a queue is drained: then it never will be. */
const STUCK_MS = 30_000

/** Where our programs keep events: one Redis or a cluster, and how many partitions there. */
export type Home = {
  redisUrl: string
  /** Further settings of our programs. */
  settings: Readonly<Record<string, string>>
  /** Its servers. */
  servers: Processes
  partitions: readonly Partition[]
  /** A stock Queue on each. */
  queues: readonly Queue[]
}

/** How the generator did. Times in ms; by request, in the order of the deliveries. */
export type Sent = {
  statuses: Record<string, number>
  latenciesMs: number[]
  answeredAtMs: number[]
  tookMs: number
}

/** In flight at once, and requests begun per second; as many as go through without it. */
export type Pace = { connections: number; perS?: number }

type Parts = Pick<Stage, 'folder' | 'generator' | 'redis' | 'database' | 'tables' | 'home' | 'profiles'> & {
  services: Services
}

/** Durable servers of a benchmark's own, with the mirror's tables in one database and a reference's in another. */
export class Stage {
  readonly folder: string
  readonly secret = `whsec_${randomBytes(24).toString('base64')}`
  readonly generator: Child
  readonly redis: Redis
  readonly database: Connection
  readonly tables: Tables
  /** Where our programs keep events unless they are told otherwise. */
  readonly home: Home
  readonly profiles: string | undefined
  readonly #services: Services
  #programs = 0

  private constructor({ folder, generator, redis, database, tables, home, profiles, services }: Parts) {
    this.folder = folder
    this.generator = generator
    this.redis = redis
    this.database = database
    this.tables = tables
    this.home = home
    this.profiles = profiles
    this.#services = services
  }

  /** `profiles`: a folder for CPU profiles of ingest and the worker. */
  static async open(owned: Releasers, profiles?: string): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-bench-'))
    owned.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
    const say = (line: string) => void process.stderr.write(`${line}\n`)
    const services = owned.use(await openServices({ dataDir: folder, say, tuning: 'durable' }))
    for (const name of ['mirror', 'reference']) {
      const database = parseDatabaseUrl(`${services.database.adminUrl}${name}`)
      await migrate(database, { folder: join(import.meta.dirname, '../prisma/migrations'), log: () => {} })
    }
    const mirror = `${services.database.adminUrl}mirror`
    const redis = new Redis(services.redis.url)
    owned.defer(() => redis.disconnect())
    const database = await createConnection({ ...connectionConfig(parseDatabaseUrl(mirror), 'migration') })
    owned.defer(() => database.end())
    const home = homeOf(owned, redis, { url: services.redis.url, partitions: 1 })
    const generator = owned.use(await Child.start('generator.mjs'))
    const tables = owned.use(await openTables(mirror))
    const pid = services.redis.control?.pid
    const servers = pid === undefined ? {} : { Redis: pid }
    const parts = { folder, generator, redis, database, tables, profiles, services }
    return new Stage({ ...parts, home: { ...home, servers } })
  }

  /** A stock Queue on the queue of our programs. */
  get queue(): Queue {
    const [queue] = this.home.queues
    if (!queue) throw new Error('there is no queue')
    return queue
  }

  databaseUrl(name: 'mirror' | 'reference'): string {
    return `${this.#services.database.adminUrl}${name}`
  }

  /** Process ids for a count of CPU time: of these servers, as far as they run here, and of others. */
  processes(
    names: readonly ('generator' | 'Redis' | 'MariaDB')[],
    others: Processes = {},
    { servers } = this.home,
  ): Processes {
    const { database } = this.#services
    const known: Record<string, Processes> = {
      generator: { generator: this.generator.pid },
      Redis: servers,
      MariaDB: database.control ? { MariaDB: database.control.pid } : {},
    }
    return Object.assign({}, ...names.map((name) => known[name]), others)
  }

  /** Starts ingest or a worker; returns when it is at work. */
  async start(app: 'ingest' | 'worker', owner: Releasers, home = this.home): Promise<Program & { port: number }> {
    this.#programs += 1
    const env = {
      REDIS_URL: home.redisUrl,
      ...home.settings,
      DATABASE_URL: this.databaseUrl('mirror'),
      CLERK_WEBHOOK_SIGNING_SECRET: this.secret,
      ...{ INGEST_PORT: '0', METRICS_PORT: '0', WORKER_PORT: '0', NODE_ENV: 'production', SHUTDOWN_DELAY_S: '0' },
    }
    const logPath = join(this.folder, `${app}-${this.#programs}.log`)
    const program = owner.use(new Program(app, { env, logPath, cwd: this.folder, profiles: this.profiles }))
    const { port } = await program.says(app === 'ingest' ? 'ingest.listening' : 'health.listening')
    return Object.assign(program, { port: Number(port) })
  }

  /** Sends these events, signed now. @throws when one was not answered with 202. */
  async send(deliveries: readonly Delivery[], port: number, pace: Pace): Promise<Sent> {
    return this.sendSigned(this.sign(deliveries), port, pace)
  }

  sign(deliveries: readonly Delivery[]): Requests & { file: string } {
    const requests = signedRequests(deliveries, this.secret)
    const file = join(this.folder, 'requests')
    writeFileSync(file, requests.bytes)
    return { ...requests, file }
  }

  async sendSigned({ file, ends }: Requests & { file: string }, port: number, pace: Pace): Promise<Sent> {
    const sent = await this.generator.ask<Sent>({ port, file, ends, ...pace })
    const { 202: accepted = 0, ...others } = sent.statuses
    if (accepted !== ends.length)
      throw new Error(`the run is not valid: other answers than 202: ${JSON.stringify(others)}`)
    return sent
  }

  /** Writes events for a program that reads them, one a line. */
  listed(deliveries: readonly Delivery[]): string {
    const file = join(this.folder, 'events')
    writeFileSync(file, deliveries.map((delivery) => `${JSON.stringify(delivery)}\n`).join(''))
    return file
  }

  /** Puts events into the queue as ingest does, without ingest. */
  async fill(deliveries: readonly Delivery[], home = this.home): Promise<void> {
    const producer = openProducer(parseRedisUrl(home.redisUrl), home.partitions, {
      redisLost: () => {},
      redisBack: () => {},
    })
    const todo = deliveries.values()
    const lane = async () => {
      for (const { eventId, type, objectId, body } of todo) {
        const read = { instanceId: null, source: 'clerk' as const, receivedAtMs: Date.now() }
        // A refused event is sent again, as Clerk would: ingest promises an answer in time, on a busy machine too.
        await until(
          async () => (await producer.enqueue({ eventId, type, objectId, body, ...read })).kind === 'accepted',
        )
      }
    }
    try {
      await until(() => producer.inspect().then(() => true))
      await Promise.all(Array.from({ length: FILLING }, lane))
    } finally {
      producer[Symbol.dispose]()
    }
  }

  /** Waits until no event waits or runs. @throws when nothing moves any more. */
  async drained(queues = this.home.queues): Promise<void> {
    let left = Number.POSITIVE_INFINITY
    let movedAtMs = performance.now()
    while (left > 0) {
      const counts = await Promise.all(queues.map((queue) => queue.getJobCountByTypes('wait', 'active')))
      const now = counts.reduce((sum, count) => sum + count, 0)
      if (now < left) movedAtMs = performance.now()
      if (performance.now() - movedAtMs > STUCK_MS)
        throw new Error(`the run is not valid: ${now} events are never done`)
      left = now
      if (left > 0) await pause(LOOK_MS)
    }
  }

  /** Empties the tables and the queues: every round begins alike. */
  async clear(): Promise<void> {
    for (const name of ['mirror', 'reference']) {
      for (const table of ['webhook_events', 'clerk_objects', 'users', 'organization_memberships']) {
        await this.database.query(`TRUNCATE ${name}.${table}`)
      }
    }
  }
}

/** So many partitions there. The servers are for the caller to name. */
export function homeOf(
  owned: Releasers,
  connection: Redis | Cluster,
  { url, partitions: count }: { url: string; partitions: number },
): Home {
  const list = partitions(count)
  const queues = list.map(({ queue, prefix }) => new Queue(queue, { connection, prefix }))
  for (const queue of queues) owned.defer(() => queue.close())
  return { redisUrl: url, settings: { QUEUE_PARTITIONS: String(count) }, servers: {}, partitions: list, queues }
}
