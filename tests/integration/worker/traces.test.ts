import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseMirroredKinds, parseSigningSecrets } from '@clerk-mirror/events'
import { parseRedisUrl } from '@clerk-mirror/queue/enqueue'
import { openLog, openTracing, Releasers, Secret } from '@clerk-mirror/runtime'
import { afterEach, expect, inject, test, vi } from 'vitest'
import { readIngestConfig } from '../../../apps/ingest/src/config.js'
import { startIngest } from '../../../apps/ingest/src/start.js'
import { readWorkerConfig } from '../../../apps/worker/src/config.js'
import { startWorker } from '../../../apps/worker/src/start.js'
import { openConnectProxy } from '../../support/http/connect-proxy.js'
import { openTestDatabase } from '../../support/mysql/database.js'
import { openTestQueue } from '../../support/queue/queue.js'
import { until } from '../../support/until.js'
import { deliver, SECRET } from '../../support/world.js'

type Attribute = { key: string; value: { stringValue?: string; intValue?: number } }
type Sent = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  attributes: Attribute[]
  status: { code: number; message?: string }
}
type Receiver = AsyncDisposable & { url: string; spans: Sent[]; services: Set<string>; bodies: string[] }

/** Takes OTLP's JSON. */
async function openReceiver(): Promise<Receiver> {
  const spans: Sent[] = []
  const services = new Set<string>()
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    bodies.push(body)
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      for (const { key, value } of resource.attributes) if (key === 'service.name') services.add(value.stringValue)
      spans.push(...scopeSpans[0].spans)
    }
    response.writeHead(request.url === '/v1/traces' ? 200 : 404).end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    spans,
    services,
    bodies,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Ingest and a worker that send their traces there. */
async function openRoad(tracesUrl: string | undefined) {
  const owned = new Releasers()
  const queue = owned.use(await openTestQueue())
  const database = owned.use(await openTestDatabase())
  const surroundings = {
    log: openLog({ app: 'test', level: 'silent' }),
    signal: new AbortController().signal,
    fail: () => {},
  }
  const base = {
    redis: new Secret(parseRedisUrl(inject('redisUrl'))),
    partitions: [queue.partition],
    host: '127.0.0.1',
    port: 0,
    logLevel: 'silent' as const,
    tracesUrl: tracesUrl && `${tracesUrl}/v1/traces`,
  }
  const mirroredKinds = parseMirroredKinds('*')
  const worker = owned.use(
    await startWorker({ ...base, database: new Secret(database.options), mirroredKinds, reactions: [] }, surroundings),
  )
  const signingKeys = new Secret(parseSigningSecrets(SECRET))
  const config = {
    ...base,
    signingKeys,
    instanceId: undefined,
    allowEviction: false,
    metricsPort: 0,
    keepAliveMs: 75_000,
  }
  const ingest = owned.use(await startIngest(config, surroundings))
  const url = `http://127.0.0.1:${ingest.port}`
  await until(async () => (await fetch(`${url}/readyz`)).status === 200)
  const outcomes = () => database.query<{ event_id: string; outcome: string }>('SELECT * FROM webhook_events')
  return { url, worker, queue, outcomes, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() }
}

const user = (data: object) => ({ type: 'user.created', data: { updated_at: 1_700_000_000_000, ...data } })

test('one trace leads from the request through the queue to the commit', async () => {
  await using receiver = await openReceiver()
  {
    await using road = await openRoad(receiver.url)
    const { id } = await deliver(road.url, user({ id: 'user_a', first_name: 'Ada', username: 'lovelace' }))
    await until(async () => (await road.outcomes()).some(({ event_id }) => event_id === id))
  } // the end of a process sends its last spans
  const { spans } = receiver
  const [request, accept, apply] = ['POST /webhooks/clerk', 'accept', 'apply'].map((each) =>
    spans.find(({ name }) => name === each),
  )
  expect(request?.traceId).toMatch(/^[\da-f]{32}$/)
  expect([accept?.traceId, apply?.traceId]).toEqual([request?.traceId, request?.traceId])
  expect([accept?.parentSpanId, apply?.parentSpanId]).toEqual([request?.spanId, accept?.spanId])
  expect(receiver.services).toEqual(new Set(['clerk-mirror-ingest', 'clerk-mirror-worker']))
  expect(receiver.bodies.join(''), 'no personal data').not.toMatch(/Ada|lovelace/)
})

test('traces go straight to their receiver, past a proxy', async () => {
  await using receiver = await openReceiver()
  await using proxy = await openConnectProxy()
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy']) vi.stubEnv(name, proxy.url)
  {
    await using tracing = await openTracing(
      'test',
      `${receiver.url}/v1/traces`,
      openLog({ app: 'test', level: 'silent' }),
    )
    tracing.start('straight', { kind: 'server' }).end()
  }
  expect(receiver.spans).toMatchObject([{ name: 'straight' }])
  expect(proxy.asked).toEqual([])
})

test('a span says by its code what went wrong: a wrong signature, a malformed event', async () => {
  await using receiver = await openReceiver()
  {
    await using road = await openRoad(receiver.url)
    const secret = `whsec_${randomBytes(24).toString('base64')}`
    expect((await deliver(road.url, user({ id: 'user_a' }), { secret })).status).toBe(401)
    const { id } = await deliver(road.url, user({ id: 7 }))
    await until(async () => (await road.queue.deadLetters.find(id)) !== null)
  }
  const failed = receiver.spans.filter(({ status }) => status.code === 2)
  expect(failed.map(({ name, status }) => [name, status.message]).toSorted()).toEqual([
    ['POST /webhooks/clerk', 'invalid_signature'],
    ['apply', 'malformed'],
  ])
})

test('without an address no traces are made, and nothing of them lies in the queue', async () => {
  await using road = await openRoad(undefined)
  await road.worker[Symbol.asyncDispose]()
  const { id } = await deliver(road.url, user({ id: 'user_a' }))
  expect(await road.queue.redis.hget(road.queue.partition.key(id), 'data')).not.toContain('trace')
})

test('a receiver that is gone holds up neither an event nor the end of a process', async () => {
  const sinceMs = performance.now()
  const { log, logged } = openTestLog()
  const tracing = await openTracing('worker', 'http://127.0.0.1:1/v1/traces', log)
  const span = tracing.start('apply', { kind: 'consumer' })
  expect(span.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/)
  span.end()
  await tracing[Symbol.asyncDispose]()
  expect(performance.now() - sinceMs, '2 s are promised; asserted with tenfold slack').toBeLessThan(20_000)
  expect(logged()).toEqual(['traces.lost'])
})

const openTestLog = () => {
  const lines: string[] = []
  const log = openLog({ app: 'test', level: 'info', pretty: false, write: (line) => void lines.push(line) })
  return { log, logged: () => lines.map((line) => JSON.parse(line).event) }
}

afterEach(() => vi.unstubAllEnvs())

test('an outage of the receiver is one line in the log, and its end another', async () => {
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '20') // the library reads it from the environment itself
  let status = 400
  let requests = 0
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(status).end('{}'))
    requests += 1
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  const { log, logged } = openTestLog()
  const tracing = await openTracing('worker', `http://127.0.0.1:${port}/v1/traces`, log)
  const sendUntil = async (done: () => boolean) => {
    while (!done()) {
      tracing.start('apply', { kind: 'consumer' }).end()
      const before = requests
      await until(() => requests > before)
    }
  }
  try {
    await sendUntil(() => requests >= 3)
    expect(logged()).toEqual(['traces.lost'])
    status = 200
    await sendUntil(() => logged().length > 1)
    await sendUntil(() => requests >= 8)
    status = 400
    await sendUntil(() => logged().length > 2)
    expect(logged()).toEqual(['traces.lost', 'traces.back', 'traces.lost'])
  } finally {
    await tracing[Symbol.asyncDispose]()
    server.close()
  }
})

test('a receiver that nobody can connect to is named while the process runs', async () => {
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '20')
  vi.stubEnv('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', '200') // for which it tries again
  const { log, logged } = openTestLog()
  await using tracing = await openTracing('worker', 'http://127.0.0.1:1/v1/traces', log)
  tracing.start('apply', { kind: 'consumer' }).end()
  await until(() => logged().length > 0)
  expect(logged()).toEqual(['traces.lost'])
})

const SETTINGS = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  DATABASE_URL: 'mysql://u:p@127.0.0.1/x',
  CLERK_WEBHOOK_SIGNING_SECRET: SECRET,
}

test.each([
  ['nothing', {}, undefined],
  ['an address', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318/base/' }, 'http://a:4318/base/v1/traces'],
  ['one for traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/own' }, 'http://b/own'],
  [
    'both',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/own' },
    'http://b/own',
  ],
  ['a disabled library', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: 'TRUE' }, undefined],
  ['one that is not', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: 'false' }, 'http://a/v1/traces'],
  ['no exporter', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b', OTEL_TRACES_EXPORTER: 'none' }, undefined],
  ['ours', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_TRACES_EXPORTER: 'console, otlp' }, 'http://a/v1/traces'],
])("OpenTelemetry's variables say where traces go: %s", (_, variables, url) => {
  for (const read of [readIngestConfig, readWorkerConfig])
    expect(read({ ...SETTINGS, ...variables }).tracesUrl).toBe(url)
})
