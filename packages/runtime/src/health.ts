import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { HttpEdge } from './http-edge.js'
import { HEADERS_TIMEOUT_MS, HEALTH_DRAIN_MS, KEEP_ALIVE_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from './limits.js'
import type { Log } from './logger.js'
import type { Metrics } from './metrics.js'
import { type Address, listenError } from './port-in-use.js'
import { type HealthAnswer, LIVEZ, type Readiness, readyz } from './readiness.js'
import { hasBody } from './request-body.js'

export interface HealthOptions extends Address {
  readonly readiness: Readiness
  readonly metrics: Metrics
  readonly log: Log
  /** Aborts when the process is told to stop. */
  readonly stopping: AbortSignal
}

export interface HealthServer extends AsyncDisposable {
  /** The actual port: differs from the setting when that was 0. */
  readonly port: number
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Serves GET /livez, /readyz and /metrics.
 * @throws PortInUse when another program has the port.
 */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const { host, log, stopping } = options
  const edge = new HttpEdge({ stopping })
  const server = edge.createServer(TIMEOUTS, (request, response) => void respond(request, response, options))
  const port = await listen(server, options)
  log.info({ event: 'health.listening', host, port })
  return {
    port,
    [Symbol.asyncDispose]: () => edge.close(HEALTH_DRAIN_MS),
  }
}

const TIMEOUTS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
}

async function listen(server: Server, { host, port, settingName }: Address): Promise<number> {
  try {
    await once(server.listen({ host, port }), 'listening')
  } catch (error) {
    throw listenError(error, { host, port, settingName })
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

async function respond(request: IncomingMessage, response: ServerResponse, options: HealthOptions): Promise<void> {
  const { status, headers, body } = await answerTo(request, options).catch((err: unknown) => {
    options.log.error({ event: 'health.failed', err })
    return refusal(500, 'internal', 'the log has the cause')
  })
  // No request body is read here.
  if (hasBody(request)) response.setHeader('connection', 'close')
  response.writeHead(status, { ...headers, 'cache-control': 'no-store' }).end(body)
}

async function answerTo({ url = '', method = '' }: IncomingMessage, options: HealthOptions): Promise<Answer> {
  const route = ROUTES.get(url.split('?', 1).join())
  if (route === undefined) return refusal(404, 'not_found', 'there are /livez, /readyz and /metrics here')
  if (!METHODS.includes(method)) return refusal(405, 'method_not_allowed', 'only GET is allowed here')
  return route(options)
}

const METHODS = ['GET', 'HEAD']

const ROUTES: ReadonlyMap<string, (options: HealthOptions) => Promise<Answer>> = new Map([
  ['/livez', async () => health(LIVEZ)],
  ['/readyz', async ({ readiness }: HealthOptions) => health(await readyz(readiness))],
  ['/metrics', async ({ metrics }: HealthOptions) => scrape(metrics)],
])

const health = ({ status, body }: HealthAnswer) => json(status, body)

async function scrape(metrics: Metrics): Promise<Answer> {
  return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.text() }
}

function refusal(status: number, code: string, message: string): Answer {
  const answer = json(status, { error: { code, message } })
  return status === 405 ? { ...answer, headers: { ...answer.headers, allow: METHODS.join(', ') } } : answer
}

function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}
