import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServices, type ServerControl } from '@clerk-mirror/devstack'
import { partition } from '@clerk-mirror/queue/enqueue'
import { Releasers } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { health, Program } from '../support/processes/processes.js'
import { until } from '../support/until.js'

/** The queue of the built program. */
const { prefix, key } = partition('{clerk-0}')

/** The signal starts a garbage collection, so that the memory in use is the memory held. */
const COLLECT_ON_SIGNAL = `data:text/javascript,${encodeURIComponent(`
  import { setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  process.on('SIGUSR2', () => collect())
`)}`

/** Ingest from the build as a process of its own, with a Redis of its own and nothing else. */
export type EdgeSite = AsyncDisposable & {
  ingest: Program
  url: string
  port: number
  metricsUrl: string
  secret: string
  /** Another ingest with these is one of several that share the Redis. */
  settings: Readonly<Record<string, string>>
  redis: Redis
  redisControl: ServerControl | undefined
  /** The ids of the events that Redis holds. */
  eventIds: () => Promise<string[]>
  /** Takes away every event, so that the next one that is there is a new one. */
  clear: () => Promise<void>
  /** The sum of all series of a metric with the text in their labels. */
  metric: (name: string, labels?: string) => Promise<number>
  /** Bytes that the process holds after a garbage collection. */
  restingBytes: () => Promise<{ rss: number; used: number }>
}

export async function openEdgeSite(env: Readonly<Record<string, string>> = {}): Promise<EdgeSite> {
  await using owned = new Releasers()
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-edge-'))
  owned.defer(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 }))
  // Ingest needs no database: one that is configured is not tried.
  const options = { dataDir, databaseUrl: 'mysql://unused', say: () => {}, tuning: 'fast-throwaway' as const }
  const services = owned.use(await openServices(options))
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const redis = new Redis(services.redis.url)
  redis.on('error', () => {}) // it may be stopped on purpose
  owned.defer(() => redis.disconnect())
  const settings = { REDIS_URL: services.redis.url, CLERK_WEBHOOK_SIGNING_SECRET: secret }
  const ingest = owned.use(
    new Program('ingest', {
      env: {
        ...settings,
        INGEST_PORT: '0',
        METRICS_PORT: '0',
        NODE_OPTIONS: `--import ${COLLECT_ON_SIGNAL}`,
        ...env,
      },
    }),
  )
  const port = Number((await ingest.says('ingest.listening'))['port'])
  const metricsUrl = `http://127.0.0.1:${(await ingest.says('health.listening'))['port']}`
  const url = `http://127.0.0.1:${port}`
  await until(async () => (await health(url, '/readyz')).status === 200)
  const metric = async (name: string, labels = '') =>
    sumOf(await (await fetch(`${metricsUrl}/metrics`)).text(), name, labels)
  const scope = owned.move()
  return {
    ...{ ingest, url, port, metricsUrl, secret, settings, redis, redisControl: services.redis.control, metric },
    async eventIds() {
      const names = await redis.keys(`${prefix}*`)
      const types = await Promise.all(names.map((name) => redis.type(name)))
      const hashes = names.filter((name, index) => types[index] === 'hash' && name !== key('meta'))
      return hashes.map((name) => name.slice(key('').length))
    },
    async clear() {
      const names = await redis.keys(`${prefix}*`)
      if (names.length > 0) await redis.del(...names)
    },
    async restingBytes() {
      const before = await metric('nodejs_gc_duration_seconds_count', 'kind="major"')
      ingest.signal('SIGUSR2')
      await until(async () => (await metric('nodejs_gc_duration_seconds_count', 'kind="major"')) > before)
      return {
        rss: await metric('process_resident_memory_bytes'),
        used: (await metric('nodejs_heap_size_used_bytes')) + (await metric('nodejs_external_memory_bytes')),
      }
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  }
}

function sumOf(text: string, name: string, labels: string): number {
  const series = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
