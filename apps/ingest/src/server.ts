import type { Socket } from 'node:net'
import { LIVEZ, type Log, type Readiness, readyz, type Span } from '@clerk-mirror/runtime'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { CODE_OF_FASTIFY, CODE_OF_NODE, REFUSALS, type RefusalCode, refusalBody } from './errors.js'
import type { IngestMetrics } from './metrics.js'
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MS,
  KEEP_ALIVE_MS,
  REQUEST_MS,
  RETRY_AFTER_S,
  TIMEOUT_CHECK_MS,
} from './policy.js'
import { receive, type WebhookDecision, type WebhookOptions } from './webhook.js'

export type ServerOptions = { webhook: WebhookOptions; readiness: Readiness; metrics: IngestMetrics; log: Log }

const WEBHOOK_PATH = '/webhooks/clerk'
/** What each path takes; any other method gets 405. */
const METHODS: Readonly<Record<string, string>> = {
  [WEBHOOK_PATH]: 'POST',
  '/livez': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
}

/** The door as a Fastify server that does not listen yet. */
export function buildServer({ webhook, readiness, metrics, log }: ServerOptions): FastifyInstance {
  const refuse = (reply: FastifyReply, code: RefusalCode) => {
    metrics.refused.inc({ code })
    if (REFUSALS[code].status === 503) reply.header('retry-after', RETRY_AFTER_S)
    return reply.code(REFUSALS[code].status).send(refusalBody(code))
  }
  const server = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    forceCloseConnections: 'idle',
    clientErrorHandler: (error, socket) => refuseRaw(error, socket, metrics),
  })
  keepBodiesRaw(server)
  server.setNotFoundHandler((request, reply) => {
    const allowed = METHODS[request.url.split('?', 1).join()]
    if (allowed === undefined) return refuse(reply, 'not_found')
    return refuse(reply.header('allow', allowed), 'method_not_allowed')
  })
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const code = CODE_OF_FASTIFY[error.code] ?? 'internal'
    if (code === 'internal') log.error({ event: 'ingest.failed', err: error })
    return refuse(reply, code)
  })
  server.get('/livez', (_request, reply) => reply.code(LIVEZ.status).send(LIVEZ.body))
  server.get('/readyz', async (_request, reply) => {
    const { status, body } = await readyz(readiness)
    return reply.code(status).send(body)
  })
  server.post(WEBHOOK_PATH, async (request, reply) => {
    const startMs = performance.now()
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const span = webhook.tracing.start(`POST ${WEBHOOK_PATH}`, { kind: 'server' })
    const decision = await receive(request.raw.rawHeaders, body, webhook, span)
    endSpan(span, decision)
    record(decision, metrics, log, performance.now() - startMs)
    if (decision.kind === 'refused') return refuse(reply, decision.code)
    return reply.code(202).send({ status: decision.kind })
  })
  return server
}

/** The signature is over bytes: nothing may parse them before it is checked. */
function keepBodiesRaw(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

function endSpan(span: Span, decision: WebhookDecision): void {
  const status = decision.kind === 'refused' ? REFUSALS[decision.code].status : 202
  const attributes = { 'http.request.method': 'POST', 'http.route': WEBHOOK_PATH, 'http.response.status_code': status }
  span.end({ attributes, error: decision.kind === 'refused' ? decision.code : undefined })
}

function record(decision: WebhookDecision, metrics: IngestMetrics, log: Log, durationMs: number): void {
  metrics.seconds.observe({}, durationMs / 1000)
  const fields = { eventId: decision.eventId, durationMs: Math.round(durationMs) }
  if (decision.kind === 'accepted') {
    metrics.accepted.inc({ how: decision.how })
    log.debug({ event: 'event.accepted', how: decision.how, ...fields })
  } else if (decision.kind === 'ignored') {
    metrics.ignored.inc({ reason: decision.reason })
    log.debug({ event: 'event.ignored', reason: decision.reason, ...fields })
  } else {
    log.warn({ event: 'event.refused', code: decision.code, cause: decision.cause, ...fields })
  }
}

/** Answers what Node could not read as a request, and so never reached Fastify. */
function refuseRaw(error: Error & { code?: string }, socket: Socket, metrics: IngestMetrics): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = CODE_OF_NODE[error.code ?? ''] ?? 'malformed_request'
  metrics.refused.inc({ code })
  const body = JSON.stringify(refusalBody(code))
  const head = `HTTP/1.1 ${REFUSALS[code].status} Refused\r\ncontent-type: application/json; charset=utf-8\r\n`
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}
