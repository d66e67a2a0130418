import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { BROWSE_ROWS_MAX, QUEUES, type QueueBrowser } from '@clerk-mirror/queue/operate'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { sessionOf } from '../auth/security.js'
import type { Sessions } from '../auth/sessions.js'
import { type ConsoleCode, REFUSALS, Refusal } from '../errors.js'
import { refusalOf } from '../failures.js'
import { BOARD_PAGE_MAX } from '../limits.js'

const PLACE = '/queue'

/** Its page brings styles of its own and names its address in a <base>; scripts stay our own origin's. */
const BOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** bull-board takes any number, and reckons its pages with it. However many it asks for, the browser gives no more. */
const QUERY_MAX = { jobsPerPage: BROWSE_ROWS_MAX, page: BOARD_PAGE_MAX } as const

function clampQuery(query: unknown): void {
  if (typeof query !== 'object' || query === null) return
  for (const [name, most] of Object.entries(QUERY_MAX)) {
    if (Number(Reflect.get(query, name)) > most) Reflect.set(query, name, String(most))
  }
}

function refuse(reply: FastifyReply, code: ConsoleCode): FastifyReply {
  const { status, message } = REFUSALS[code]
  return reply.code(status).send({ error: { code, message } })
}

type Queue = Awaited<ReturnType<QueueBrowser['queues']>>[number]

/** bull-board tells queues apart by name: partitions have one, and so have reactions, with their own in the prefix. */
function adapterOf(queue: Queue, all: readonly Queue[]) {
  const isAlone = queue.name === QUEUES.events && all.filter(({ name }) => name === queue.name).length === 1
  return new BullMQAdapter(queue, { readOnlyMode: true, ...(!isAlone && { prefix: `${queue.opts.prefix}:` }) })
}

/** A read-only bull-board, for every action that its page offers. */
export function boardRoutes(server: FastifyInstance, browser: QueueBrowser, sessions: Sessions): void {
  const board = new FastifyAdapter()
  board.setBasePath(PLACE)
  const { replaceQueues } = createBullBoard({
    queues: [],
    serverAdapter: board,
    options: { uiConfig: { boardTitle: 'clerk-mirror', miscLinks: [{ text: 'Back to the console', url: '/' }] } },
  })
  let shown: readonly Queue[] = []
  const showQueues = async () => {
    const queues = await browser.queues()
    const isNews = queues.length !== shown.length || queues.some((queue, index) => queue !== shown[index])
    if (isNews) replaceQueues(queues.map((queue) => adapterOf(queue, queues)))
    shown = queues
  }
  void server.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      reply.header('content-security-policy', BOARD_POLICY)
      // Answered here and not thrown: bull-board has an error handler of its own, which would make a 500 of it.
      const session = await sessionOf(request, sessions).catch((error: unknown) => refusalOf(error))
      if (session instanceof Refusal) return refuse(reply, session.code)
      if (!session) return reply.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`)
      await showQueues()
      clampQuery(request.query)
      // Events have no children: those that a foreign job claims to have are not read.
      if (request.routeOptions.url?.endsWith('/:jobId/flow')) {
        return reply.send({ nodeId: Reflect.get(Object(request.params), 'jobId'), flowRoot: null, isFlowNode: false })
      }
      if (request.method !== 'GET') {
        return refuse(reply, 'role_forbidden')
      }
      return undefined
    })
    await scope.register(board.registerPlugin(), { prefix: PLACE })
  })
}
