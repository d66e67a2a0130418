import { randomBytes } from 'node:crypto'
import { parseMirroredKinds, parseSigningSecrets } from '@clerk-mirror/events'
import {
  type DeadLetters,
  type EnvelopeKeys,
  openDeadLetters,
  parseRedisUrl,
  partition,
} from '@clerk-mirror/queue/operate'
import { openLog, type ProcessFailure, Releasers, Secret } from '@clerk-mirror/runtime'
import { Redis } from 'ioredis'
import { Webhook } from 'svix'
import { inject } from 'vitest'
import { startIngest } from '../../apps/ingest/src/start.js'
import type { WorkerConfig } from '../../apps/worker/src/config.js'
import { startWorker } from '../../apps/worker/src/start.js'
import { openTestDatabase, type TestDatabase } from './mysql/database.js'
import { until } from './until.js'

export const SECRET = `whsec_${randomBytes(24).toString('base64')}`

export type Sent = { id: string; status: number; body: unknown }
export type SendOptions = { id?: string; secret?: string; headers?: Record<string, string>; timestampS?: number }

export type World = AsyncDisposable & {
  url: string
  workerUrl: string
  metricsUrl: string
  database: TestDatabase
  deadLetters: DeadLetters
  redis: Redis
  key: (name: string) => string
  /** Every line that a process logged. */
  logged: string[]
  /** One signed delivery over HTTP. */
  send: (event: object | string, options?: SendOptions) => Promise<Sent>
  /** Waits until every event that was accepted is a ledger row or a dead letter. */
  settled: () => Promise<void>
}

export type WorldOptions = {
  kinds?: string
  instanceId?: string
  keys?: EnvelopeKeys | undefined
  worker?: Partial<Pick<WorkerConfig, 'reactions' | 'changeWebhooks'>>
}

/** Ingest and a worker in this process, on the run's Redis and a database of their own. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const stack = new Releasers()
  const database = stack.use(await openTestDatabase())
  const target = parseRedisUrl(inject('redisUrl'))
  const own = partition(`{test-${randomBytes(6).toString('hex')}}`)
  const redis = new Redis(inject('redisUrl'))
  stack.defer(async () => {
    const keys = await redis.keys(`${own.prefix}*`)
    if (keys.length > 0) await redis.del(...keys)
    redis.disconnect()
  })
  const logged: string[] = []
  const log = openLog({ app: 'test', level: 'debug', pretty: false, write: (line) => void logged.push(line) })
  const abort = new AbortController()
  stack.defer(async () => abort.abort())
  const fail = ({ code }: ProcessFailure) => {
    throw new Error(`a process in this world failed: ${code}`)
  }
  const surroundings = { log, signal: abort.signal, fail }
  const envelopeKeys = options.keys && new Secret(options.keys)
  const base = {
    redis: new Secret(target),
    envelopeKeys,
    partitions: [own],
    host: '127.0.0.1',
    port: 0,
    logLevel: 'debug' as const,
  }
  const mirroredKinds = parseMirroredKinds(options.kinds ?? '*,-session')
  const worker = stack.use(
    await startWorker(
      { ...base, database: new Secret(database.options), mirroredKinds, reactions: [], ...options.worker },
      surroundings,
    ),
  )
  const signingKeys = new Secret(parseSigningSecrets(SECRET))
  const { instanceId } = options
  const ingest = stack.use(
    await startIngest(
      { ...base, signingKeys, instanceId, allowEviction: false, metricsPort: 0, keepAliveMs: 75_000 },
      surroundings,
    ),
  )
  const deadLetters = await openDeadLetters(target, [own])
  stack.defer(async () => deadLetters[Symbol.dispose]())
  const url = `http://127.0.0.1:${ingest.port}`
  await until(async () => (await fetch(`${url}/readyz`)).status === 200)
  const accepted = new Set<string>()
  return {
    url,
    workerUrl: `http://127.0.0.1:${worker.port}`,
    metricsUrl: `http://127.0.0.1:${ingest.metricsPort}`,
    database,
    deadLetters,
    redis,
    key: own.key,
    logged,
    async send(event, sendOptions) {
      const sent = await deliver(url, event, sendOptions)
      if (sent.status === 202 && JSON.stringify(sent.body).includes('accepted')) accepted.add(sent.id)
      return sent
    },
    settled: () =>
      until(async () => {
        const rows = await database.query<{ event_id: string }>('SELECT event_id FROM webhook_events')
        const settled = new Set([
          ...rows.map((row) => row.event_id),
          ...(await redis.zrange(own.key('failed'), '0', '-1')),
        ])
        const live = (await redis.llen(own.key('wait'))) + (await redis.llen(own.key('active')))
        return live === 0 && [...accepted].every((id) => settled.has(id))
      }),
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  }
}

/** Signs with Svix' own library, as Clerk does, and posts. */
export async function deliver(url: string, event: object | string, options: SendOptions = {}): Promise<Sent> {
  const { id = messageId(), secret = SECRET, headers = {}, timestampS = Math.floor(Date.now() / 1000) } = options
  const text = typeof event === 'string' ? event : JSON.stringify(event)
  const signature = new Webhook(secret).sign(id, new Date(timestampS * 1000), text)
  const response = await fetch(`${url}/webhooks/clerk`, {
    method: 'POST',
    body: text,
    headers: {
      'content-type': 'application/json',
      'svix-id': id,
      'svix-timestamp': String(timestampS),
      'svix-signature': signature,
      ...headers,
    },
  })
  return { id, status: response.status, body: await response.json() }
}

export const messageId = () => `msg_${randomBytes(13).toString('hex')}`
