import { type Connections, LIVEZ, type Log, type Readiness, readyz } from '@clerk-mirror/runtime'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import { apiRoutes } from './api-routes.js'
import { conditional } from './conditional.js'
import { Refusal } from './errors.js'
import { meRoutes } from './me-routes.js'
import type { ProfilesMetrics } from './metrics.js'
import { type PageOptions, pageRoutes } from './page-routes.js'
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MAX,
  HEADERS_MS,
  KEEP_ALIVE_MS,
  PARAMETER_MAX,
  REQUEST_MS,
} from './policy.js'
import { refuse, refuseRaw, report } from './refuse.js'
import { SECURITY_HEADERS } from './security-headers.js'
import type { SessionOptions } from './session.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Shown to people: a refusal is a page too. */
    isPage?: boolean
    /** The same for everybody: it may be cached. */
    isPublic?: boolean
  }
}

export type ServerOptions = PageOptions & {
  session: SessionOptions
  connections: Connections
  readiness: Readiness
  metrics: ProfilesMetrics
  log: Log
}

/** What each path takes; any other method gets 405. */
const METHODS: readonly (readonly [RegExp, string])[] = [
  [/^\/me$/, 'GET, HEAD, PUT'],
  [/^\/(?:edit|profiles|openapi\.json|livez|readyz)?$/, 'GET, HEAD'],
  [/^\/(?:@|profiles\/|assets\/)[^/]+$/, 'GET, HEAD'],
]

/** The read API, the editor's API and the pages, as a Fastify server that does not listen yet. */
export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { profiles, assets, session, connections, metrics, log } = options
  const server = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_MS },
    routerOptions: { maxParamLength: PARAMETER_MAX },
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseRaw,
    // A path that cannot be decoded, or is too long, reaches no route, no hook and no error handler.
    frameworkErrors: (error, request, reply) => {
      report(log, error)
      refuse(assets, request, reply.headers(SECURITY_HEADERS), error)
    },
  })
  server.server.maxHeadersCount = HEADERS_MAX
  connections.watch(server.server)
  watchTurns(server, connections)
  server.removeContentTypeParser('text/plain')
  server.addHook('onRequest', async (_request, reply) => void reply.headers(SECURITY_HEADERS))
  server.addHook('onSend', conditional)
  server.addHook('onResponse', async ({ routeOptions }, { statusCode, elapsedTime }) => {
    const route = routeOptions.url ?? 'none'
    metrics.requests.inc({ route, status: String(statusCode) })
    metrics.seconds.observe({ route }, elapsedTime / 1000)
  })
  server.setErrorHandler((error, request, reply) => {
    report(log, error)
    return refuse(assets, request, reply, error)
  })
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1).join()
    const allowed = METHODS.find(([pattern]) => pattern.test(path))?.[1]
    const isKnown = allowed !== undefined && request.method !== 'GET' && request.method !== 'HEAD'
    if (isKnown) reply.header('allow', allowed)
    return refuse(assets, request, reply, new Refusal(isKnown ? 'method_not_allowed' : 'not_found'))
  })
  await server.register(swagger, { openapi: DOCUMENT })
  healthRoutes(server, options.readiness)
  apiRoutes(server, profiles)
  await server.register(meRoutes(profiles, session))
  pageRoutes(server, { ...options, canVerify: session.jwtKey !== undefined })
  server.get('/openapi.json', { config: { isPublic: true }, schema: { hide: true } }, (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(JSON.stringify(server.swagger())),
  )
  return server
}

/** Tells whose turn it is on each connection, and how much of it is in memory. */
function watchTurns(server: FastifyInstance, connections: Connections): void {
  // With a callback and not a promise: in between, what is listened to would flow past the parser.
  server.addHook('preParsing', ({ raw }, _reply, payload, done) => {
    connections.reading(raw, payload)
    done(null, payload)
  })
  server.addHook('preHandler', ({ raw }, _reply, done) => {
    connections.working(raw)
    done()
  })
  server.addHook('onSend', ({ raw }, _reply, payload, done) => {
    connections.answered(raw)
    done(null, payload)
  })
}

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Profiles', version: '1', description: 'Public profiles, and your own.' },
  components: {
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'A session token of Clerk' },
      cookie: {
        type: 'apiKey',
        in: 'cookie',
        name: '__session',
        description: 'The same; writes from this origin only',
      },
    },
  },
} as const

function healthRoutes(server: FastifyInstance, readiness: Readiness): void {
  const schema = { hide: true }
  server.get('/livez', { schema }, (_request, reply) => reply.code(LIVEZ.status).send(LIVEZ.body))
  server.get('/readyz', { schema }, async (_request, reply) => {
    const { status, body } = await readyz(readiness)
    return reply.code(status).send(body)
  })
}
