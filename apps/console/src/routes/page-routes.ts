import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sessionRequired } from '../auth/callers.js'
import type { Console } from '../context.js'
import { ACTIVITY_WAIT_MS, LEDGER_MS, ROWS } from '../limits.js'
import { auditPage } from '../pages/audit-page.js'
import { overviewFragment, overviewPage } from '../pages/overview-page.js'
import { tracePage } from '../pages/trace-page.js'
import { workersFragment, workersPage } from '../pages/workers-page.js'
import { pageReply, queryOfRequest } from './page-reply.js'

/** The pages that only show, and the parts of them that refresh themselves. */
export function pageRoutes(server: FastifyInstance, context: Console): void {
  const { operations, sessions, clock } = context
  const sessionFor = (request: FastifyRequest) => sessionRequired(request, sessions)

  server.get('/', async (request, reply) => {
    const session = await sessionFor(request)
    return pageReply(reply, overviewPage(await overview(context), session))
  })

  server.get('/live/overview', async (request, reply) => {
    await sessionFor(request)
    return pageReply(reply, await overview(context))
  })

  server.get('/workers', async (request, reply) => {
    const session = await sessionFor(request)
    const status = await operations.ask((each) => each.status())
    return pageReply(reply, workersPage(workersFragment(status, clock()), session))
  })

  server.get('/live/workers', async (request, reply) => {
    await sessionFor(request)
    const status = await operations.ask((each) => each.status())
    return pageReply(reply, workersFragment(status, clock()))
  })

  server.get('/trace', async (request, reply) => {
    const session = await sessionFor(request)
    const id = queryOfRequest(request).get('id')?.trim() ?? ''
    const trace = id === '' ? null : await operations.ask((each) => each.trace(id), LEDGER_MS)
    return pageReply(reply, tracePage({ session, id, trace, nowMs: clock() }))
  })

  server.get('/audit', async (request, reply) => {
    const session = await sessionFor(request)
    const cursor = queryOfRequest(request).get('cursor')
    const page = await operations.ask((each) => each.audit({ cursor, limit: ROWS }), LEDGER_MS)
    return pageReply(reply, auditPage({ session, page, isFirstPage: cursor === null, nowMs: clock() }))
  })
}

/** The queue alone while MySQL is away: that is when an operator comes to look. */
async function overview({ operations, causes, samples, clock }: Console) {
  const [{ status, activity }, counted] = await Promise.all([
    operations.ask(async (each) => {
      const late = pause(ACTIVITY_WAIT_MS, null, { ref: false })
      const activity = Promise.race([each.activity().catch(() => null), late])
      return { status: await each.status(), activity: await activity }
    }),
    causes.latest(),
  ])
  return overviewFragment({ status, activity, causes: counted, samples: samples.lastHour(), nowMs: clock() })
}
