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
} from '@clerk-mirror/runtime'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { apiRoutes } from './api-routes.js'
import type { Assets } from './assets.js'
import { canonicalPath } from './canonical-path.js'
import { conditional } from './conditional.js'
import { Refusal } from './errors.js'
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MAX,
  HEADERS_MS,
  PARAMETER_MAX,
  REQUEST_MS,
  SILENCE_MS,
  TIMEOUT_CHECK_MS,
} from './limits.js'
import { meRoutes } from './me-routes.js'
import type { ProfilesMetrics } from './metrics.js'
import { type PageOptions, pageRoutes } from './page-routes.js'
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
  edge: HttpEdge
  connections: Connections
  keepAliveMs: number
  trustProxy: readonly string[] | undefined
  readiness: Readiness
  metrics: ProfilesMetrics
  log: Log
}

/** The methods of each path; any other gets 405. */
const METHODS: readonly (readonly [RegExp, string])[] = [
  [/^\/me$/, 'GET, HEAD, PUT'],
  [/^\/(?:edit|profiles|openapi\.json|livez|readyz)?$/, 'GET, HEAD'],
  [/^\/(?:@|profiles\/|assets\/)[^/]+$/, 'GET, HEAD'],
]

const methodsAt = (path: string) => METHODS.find(([pattern]) => pattern.test(path))?.[1]
const pathOf = ({ url }: FastifyRequest) => url.split('?', 1).join()

/** The read API, the editor's API and the pages, as a Fastify server that does not listen yet. */
export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { profilesFor, assets, session, edge, connections, keepAliveMs, trustProxy, metrics, log } = options
  const server = Fastify({
    trustProxy: trustProxy ? [...trustProxy] : false,
    bodyLimit: BODY_BYTES_MAX,
    serverFactory: (handler) => edge.createServer({ ...NODE_LIMITS, keepAliveTimeout: keepAliveMs }, handler),
    routerOptions: { maxParamLength: PARAMETER_MAX },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: refuseRaw,
    // A path that cannot be decoded, or is too long, reaches no route, no hook and no error handler.
    frameworkErrors: (error, request, reply) => {
      report(log, error)
      closeBeforeLongBody(request.raw, reply, BODY_BYTES_MAX)
      refuse(assets, request, reply.headers(SECURITY_HEADERS), error)
    },
  })
  server.server.maxHeadersCount = HEADERS_MAX
  connections.watch(server.server)
  addBodyHooks(server, connections)
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
  // In a hook and not in a handler, which would be called once the body has been read.
  server.addHook('onRequest', async (request, reply) => {
    // An empty name is one to the router: `/profiles/` would be a profile.
    const isUnknown = request.is404 || methodsAt(pathOf(request)) === undefined
    if (isUnknown) return answerUnknown(assets, request, reply)
    return undefined
  })
  await server.register(swagger, { openapi: DOCUMENT })
  healthRoutes(server, options.readiness)
  apiRoutes(server, profilesFor)
  await server.register(meRoutes(profilesFor, session))
  pageRoutes(server, { ...options, canVerify: session.jwtKey !== undefined })
  server.get('/openapi.json', { config: { isPublic: true }, schema: { hide: true } }, (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(JSON.stringify(server.swagger())),
  )
  return server
}

/** A path that we know by another spelling is sent there; all others, and other methods, are refused. */
function answerUnknown(assets: Assets, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = pathOf(request)
  const allowed = methodsAt(path)
  const canonical = canonicalPath(path)
  // A path that is known begins with one slash and a name, so that no browser takes it for another site's address.
  if (allowed === undefined && methodsAt(canonical) !== undefined) {
    return reply.redirect(canonical + request.url.slice(path.length), 308)
  }
  const isKnown = allowed !== undefined && request.method !== 'GET' && request.method !== 'HEAD'
  if (isKnown) reply.header('allow', allowed)
  return refuse(assets, request, reply, new Refusal(isKnown ? 'method_not_allowed' : 'not_found'))
}

function addBodyHooks(server: FastifyInstance, connections: Connections): void {
  const limits = { bytesMax: BODY_BYTES_MAX, types: ['application/json'] }
  for (const hooks of [connectionHooks(connections), bodyHooks(limits)]) {
    server.addHook('preParsing', hooks.preParsing)
    server.addHook('onSend', hooks.onSend)
  }
  server.addHook('preHandler', connectionHooks(connections).preHandler)
}

const NODE_LIMITS = {
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  silenceMs: SILENCE_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
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
        description: 'The same, or with the suffix of this Clerk instance; writes from this origin only',
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
