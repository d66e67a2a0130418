import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sessionRequired } from '../auth/callers.js'
import { formOf } from '../auth/security.js'
import type { Console } from '../context.js'
import { Refusal } from '../errors.js'
import { runFragment, runPage } from '../pages/bulk-run-page.js'
import { pageReply } from './page-reply.js'

type ById = { Params: { id: string } }

/** Watching and stopping bulk runs that were confirmed. */
export function runRoutes(server: FastifyInstance, { runs, sessions }: Console): void {
  const find = async (request: FastifyRequest<ById>) => {
    const session = await sessionRequired(request, sessions)
    const run = runs.find(request.params.id)
    if (!run) throw new Refusal('not_found', 'This console does not know of that run (any more). The audit does.')
    return { session, run }
  }

  server.get<ById>('/runs/:id', async (request, reply) => {
    const { session, run } = await find(request)
    return pageReply(reply, runPage(run, session))
  })

  server.get<ById>('/live/runs/:id', async (request, reply) => {
    const { session, run } = await find(request)
    return pageReply(reply, runFragment(run, session))
  })

  server.post<ById>('/runs/:id/stop', async (request, reply) => {
    const { session, run } = await find(request)
    formOf(request, session)
    if (session.account.role !== 'operator') throw new Refusal('role_forbidden')
    run.stop()
    return reply.redirect(`/runs/${run.id}`, 303)
  })
}
