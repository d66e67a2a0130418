import type { QueueBrowser, SessionRevocations } from '@clerk-mirror/queue/operate'
import {
  bodyHooks,
  closeBeforeLongBody,
  FailuresByAddress,
  type HttpEdge,
  LIVEZ,
  type Log,
  type Metrics,
  printable,
  type Readiness,
  readyz,
} from '@clerk-mirror/runtime'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Account } from './auth/accounts.js'
import { callerRequired, isApi } from './auth/callers.js'
import { SECURITY_HEADERS, sessionOf } from './auth/security.js'
import { openSessions, type Sessions } from './auth/sessions.js'
import { CauseCount } from './cause-count.js'
import type { Console } from './context.js'
import { REFUSALS, Refusal } from './errors.js'
import { ADDRESSES_MAX, FORM_BYTES_MAX, HEADERS_MS, REQUEST_MS, WRONG_TOKENS_MAX, WRONG_TOKENS_MS } from './limits.js'
import { consoleMetrics } from './metrics.js'
import type { OperationsDoor } from './operations-connection.js'
import { refusalFragment, refusalPage } from './pages/error-page.js'
import { apiRoutes } from './routes/api-routes.js'
import { assetRoutes } from './routes/asset-routes.js'
import { boardRoutes } from './routes/board-routes.js'
import { deadLetterRoutes } from './routes/dead-letter-routes.js'
import { markupOf } from './routes/page-reply.js'
import { pageRoutes } from './routes/page-routes.js'
import { runRoutes } from './routes/run-routes.js'
import { signInRoutes } from './routes/sign-in-routes.js'
import type { Runs } from './runs.js'
import type { Samples } from './samples.js'

export type ServerOptions = {
  accounts: readonly Account[]
  operations: OperationsDoor
  browser: QueueBrowser
  samples: Samples
  runs: Runs
  revocations: SessionRevocations
  readiness: Readiness
  metrics: Metrics
  log: Log
  clock: () => number
  trustProxy: readonly string[] | undefined
  edge: HttpEdge
  keepAliveMs: number
}

const FORM_TYPE = 'application/x-www-form-urlencoded'

const WRONG_TOKENS = { failuresMax: WRONG_TOKENS_MAX, windowMs: WRONG_TOKENS_MS, addressesMax: ADDRESSES_MAX }

/** The console as a Fastify server that does not listen yet. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { accounts, operations, browser, samples, runs, revocations, readiness, metrics, log, clock, trustProxy } =
    options
  const { edge, keepAliveMs } = options
  const server = Fastify({
    trustProxy: trustProxy ? [...trustProxy] : false,
    bodyLimit: FORM_BYTES_MAX,
    serverFactory: (handler) =>
      edge.createServer(
        { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: keepAliveMs },
        handler,
      ),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    // A path that cannot be decoded reaches no route, no hook and no error handler.
    frameworkErrors: (error, request, reply) => {
      closeBeforeLongBody(request.raw, reply, FORM_BYTES_MAX)
      void refuse(asRefusal(error), request, reply.headers(SECURITY_HEADERS))
    },
  })
  // A client of the API in a terminal shows the texts of Redis: JSON keeps C1 and bidi characters as they are.
  server.setReplySerializer((payload) => printable(JSON.stringify(payload)))
  const sessions = openSessions(accounts, revocations, clock)
  const context: Console = {
    ...{ accounts, sessions, operations, samples, runs, log, clock },
    causes: new CauseCount(operations, clock),
    wrongTokens: new FailuresByAddress(WRONG_TOKENS, clock),
  }
  const counters = consoleMetrics(metrics)
  server.addHook('onRequest', async (_request, reply) => void reply.headers(SECURITY_HEADERS))
  const { preParsing, onSend } = bodyHooks({ bytesMax: FORM_BYTES_MAX, types: ['application/json', FORM_TYPE] })
  server.addHook('preParsing', preParsing)
  server.addHook('onSend', onSend)
  // In a hook and not in a handler, which would be called once the body has been read.
  server.addHook('onRequest', async (request, reply) => {
    if (request.is404) return refuse(new Refusal('not_found'), request, reply)
    // Answered here and not thrown: bull-board's routes have an error handler of their own.
    const refusal = await callerRequired(request, reply, context).then(() => null, asRefusal)
    return refusal ? refuse(refusal, request, reply) : undefined
  })
  server.setErrorHandler((error: FastifyError, request, reply) => refuse(asRefusal(error), request, reply))
  function refuse(refusal: Refusal, request: FastifyRequest, reply: FastifyReply) {
    counters.refused.inc({ code: refusal.code })
    if (refusal.code === 'internal') log.error({ event: 'console.failed', err: refusal.cause })
    return answer(refusal, request, reply, sessions)
  }
  server.addContentTypeParser(FORM_TYPE, { parseAs: 'string' }, (_request, body, done) =>
    done(null, new URLSearchParams(String(body))),
  )
  healthRoutes(server, readiness, metrics)
  assetRoutes(server)
  signInRoutes(server, context)
  pageRoutes(server, context)
  deadLetterRoutes(server, context)
  runRoutes(server, context)
  apiRoutes(server, context)
  boardRoutes(server, browser, sessions)
  return server
}

/** For probes and Prometheus, without a token: nothing of it is about a person. */
function healthRoutes(server: FastifyInstance, readiness: Readiness, metrics: Metrics): void {
  server.get('/livez', (_request, reply) => reply.code(LIVEZ.status).send(LIVEZ.body))
  server.get('/readyz', async (_request, reply) => {
    const { status, body } = await readyz(readiness)
    return reply.code(status).send(body)
  })
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
}

function asRefusal(error: FastifyError): Refusal {
  if (error instanceof Refusal) return error
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('payload_too_large')
  if (error.statusCode !== undefined && error.statusCode < 500) return new Refusal('invalid_request')
  return new Refusal('internal', undefined, error)
}

/** To a program JSON, to a page that refreshes itself a part of a page, to people a page, or the way to sign in. */
async function answer(refusal: Refusal, request: FastifyRequest, reply: FastifyReply, sessions: Sessions) {
  const { code } = refusal
  const { status } = REFUSALS[code]
  if (isApi(request)) return reply.code(status).send({ error: { code, message: refusal.message } })
  reply.type('text/html; charset=utf-8')
  if (request.url.startsWith('/live/')) return reply.code(status).send(markupOf(refusalFragment(refusal)))
  if (code === 'sign_in_required' && request.method === 'GET') {
    return reply.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`)
  }
  const again = request.method === 'GET' ? request.url : null
  const session = await sessionOf(request, sessions).catch(() => null)
  return reply.code(status).send(markupOf(refusalPage(refusal, again, session)))
}
