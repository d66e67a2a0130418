import type { CheckedSignatureHeaders } from '@clerk-mirror/events'
import {
  bodyHooks,
  type Connections,
  closeBeforeLongBody,
  connectionHooks,
  type HttpEdge,
  LIVEZ,
  type Log,
  type Readiness,
  readyz,
  type Span,
} from '@clerk-mirror/runtime'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { DropWarnings } from './dropped-events.js'
import { CODE_OF_FASTIFY, REFUSALS, type RefusalCode, refusalBody } from './errors.js'
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MAX,
  HEADERS_MS,
  REQUEST_MS,
  RETRY_AFTER_S,
  SILENCE_MS,
  TIMEOUT_CHECK_MS,
} from './limits.js'
import type { IngestMetrics } from './metrics.js'
import { RawRefusals } from './raw-refusals.js'
import { UnsignedRequests } from './unsigned-requests.js'
import { receive, type WebhookDecision, type WebhookOptions } from './webhook.js'

export type ServerOptions = {
  webhook: WebhookOptions
  edge: HttpEdge
  connections: Connections
  keepAliveMs: number
  readiness: Readiness
  metrics: IngestMetrics
  log: Log
  trustProxy: readonly string[] | undefined
}

const WEBHOOK_PATH = '/webhooks/clerk'
/** The type of every body that is read. */
const BODY_TYPE = 'application/json'
/** The methods of each path; any other method gets 405. */
const METHODS: Readonly<Record<string, string>> = {
  [WEBHOOK_PATH]: 'POST',
  '/livez': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
}

const NODE_LIMITS = {
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  silenceMs: SILENCE_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  requireHostHeader: false, // Node's own refusal has no body
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a webhook whose headers passed the `onRequest` hook; null before, and of every other request. */
    signatureHeaders: CheckedSignatureHeaders | null
  }
}

type Refuse = (reply: FastifyReply, code: RefusalCode) => FastifyReply

/** Ingest as a Fastify server that does not listen yet. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { edge, connections, keepAliveMs, readiness, metrics, log, trustProxy } = options
  const refuse: Refuse = (reply, code) => {
    metrics.refused.inc({ code })
    if (REFUSALS[code].status === 503) reply.header('retry-after', RETRY_AFTER_S)
    return reply.code(REFUSALS[code].status).send(refusalBody(code))
  }
  const raw = new RawRefusals(connections, metrics)
  const onError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    // The client went away in the middle: no client reads the answer.
    if (request.raw.destroyed && error.code === 'ECONNRESET') {
      if (!raw.has(request.socket)) metrics.refused.inc({ code: 'incomplete_request' })
      return reply.code(REFUSALS.incomplete_request.status).send(refusalBody('incomplete_request'))
    }
    const code = CODE_OF_FASTIFY[error.code] ?? 'internal'
    if (code === 'internal') log.error({ event: 'ingest.failed', err: error })
    return refuse(reply, code)
  }
  const server = Fastify({
    trustProxy: trustProxy ? [...trustProxy] : false,
    bodyLimit: BODY_BYTES_MAX,
    serverFactory: (handler) => edge.createServer({ ...NODE_LIMITS, keepAliveTimeout: keepAliveMs }, handler),
    forceCloseConnections: 'idle',
    // Requests that are in flight when the process is told to stop are served as before.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => raw.refuse(error, socket),
    // A path that cannot be decoded reaches no route, no hook and no error handler.
    frameworkErrors: (error, request, reply) => {
      closeBeforeLongBody(request.raw, reply, BODY_BYTES_MAX)
      onError(error, request, reply)
    },
  })
  server.server.maxHeadersCount = HEADERS_MAX + 1 // one more than is allowed shows that there were too many
  connections.watch(server.server)
  raw.watch(server.server)
  addBodyHooks(server, connections)
  server.addHook('preHandler', (request, reply, done) => {
    // The bytes behind it on its connection were no HTTP, and their refusal was sent already: a refused client must not
    // find the event stored.
    if (raw.has(request.socket)) reply.code(REFUSALS.incomplete_request.status).send()
    else done()
  })
  server.addHook('onRequest', (request, reply, done) => {
    // Of those that Node left out, one may be a second signature.
    const hasTooMany = request.raw.rawHeaders.length > 2 * HEADERS_MAX
    const isMalformed = request.headers.host === undefined && request.raw.httpVersion === '1.1'
    if (!hasTooMany && !isMalformed) return done()
    // The rest of its body is not read.
    refuse(reply.header('connection', 'close'), hasTooMany ? 'headers_too_large' : 'malformed_request')
  })
  // In a hook and not in a handler, which would be called once the body has been read.
  server.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done()
    const allowed = METHODS[request.url.split('?', 1).join()]
    if (allowed !== undefined) reply.header('allow', allowed)
    refuse(reply, allowed === undefined ? 'not_found' : 'method_not_allowed')
  })
  keepBodiesRaw(server)
  server.setErrorHandler(onError)
  server.get('/livez', (_request, reply) => reply.code(LIVEZ.status).send(LIVEZ.body))
  server.get('/readyz', async (_request, reply) => {
    const { status, body } = await readyz(readiness)
    return reply.code(status).send(body)
  })
  webhookRoute(server, options, refuse)
  return server
}

function webhookRoute(server: FastifyInstance, { webhook, metrics, log }: ServerOptions, refuse: Refuse): void {
  const unsigned = new UnsignedRequests(webhook.clock, log)
  const drops = new DropWarnings(log, webhook.instanceId)
  const onRequest = (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const decision = unsigned.judge(request.raw.rawHeaders, request.ip)
    if (decision.kind === 'plausible') {
      request.signatureHeaders = decision.headers
      return done()
    }
    if (decision.retryAfterS !== undefined) reply.header('retry-after', decision.retryAfterS)
    if (decision.code === 'too_many_requests') reply.header('connection', 'close')
    refuse(reply, decision.code)
  }
  server.decorateRequest('signatureHeaders', null)
  server.post(WEBHOOK_PATH, { onRequest }, async (request, reply) => {
    const { signatureHeaders } = request
    // Cannot be: the hook has refused it. A request that it did not see would be refused here.
    if (signatureHeaders === null) return refuse(reply, 'missing_header')
    const startMs = performance.now()
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const span = webhook.tracing.start(`POST ${WEBHOOK_PATH}`, { kind: 'server' })
    const decision = await receive(signatureHeaders, body, webhook, span)
    endSpan(span, decision)
    const durationMs = performance.now() - startMs
    metrics.seconds.observe({}, durationMs / 1000)
    if (decision.kind === 'refused' && decision.eventId === undefined) {
      unsigned.failed(request.ip, { code: decision.code, cause: decision.cause, durationMs: Math.round(durationMs) })
      return refuse(reply, decision.code)
    }
    record(decision, metrics, log, durationMs)
    if (decision.kind === 'ignored') drops.add(decision)
    if (decision.kind === 'refused') return refuse(reply, decision.code)
    return reply.code(202).send({ status: decision.kind })
  })
}

function addBodyHooks(server: FastifyInstance, connections: Connections): void {
  for (const hooks of [connectionHooks(connections), bodyHooks({ bytesMax: BODY_BYTES_MAX, types: [BODY_TYPE] })]) {
    server.addHook('preParsing', hooks.preParsing)
    server.addHook('onSend', hooks.onSend)
  }
  server.addHook('preHandler', connectionHooks(connections).preHandler)
}

/** The signature is over bytes: nothing may parse them before it is checked. */
function keepBodiesRaw(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(BODY_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

function endSpan(span: Span, decision: WebhookDecision): void {
  const status = decision.kind === 'refused' ? REFUSALS[decision.code].status : 202
  const attributes = { 'http.request.method': 'POST', 'http.route': WEBHOOK_PATH, 'http.response.status_code': status }
  span.end({ attributes, error: decision.kind === 'refused' ? decision.code : undefined })
}

function record(decision: WebhookDecision, metrics: IngestMetrics, log: Log, durationMs: number): void {
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
