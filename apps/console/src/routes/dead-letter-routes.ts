import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sessionRequired } from '../auth/callers.js'
import { formOf } from '../auth/security.js'
import type { Session } from '../auth/sessions.js'
import type { Console } from '../context.js'
import { deadLettersOf, filterOf, isNarrowing, readFilter } from '../dead-letter-filter.js'
import { Refusal } from '../errors.js'
import { COUNT_MS, LEDGER_MS, ROWS } from '../limits.js'
import { confirmPage } from '../pages/confirm-page.js'
import { deadLetterPage } from '../pages/dead-letter-page.js'
import { deadLettersPage } from '../pages/dead-letters-page.js'
import type { Verb } from '../runs.js'
import { pageReply, queryOfRequest } from './page-reply.js'

type ById = { Params: { id: string } }

export function deadLetterRoutes(server: FastifyInstance, context: Console): void {
  const { operations, runs, sessions, clock } = context
  const sessionFor = (request: FastifyRequest) => sessionRequired(request, sessions)

  server.get('/dead-letters', async (request, reply) => {
    const session = await sessionFor(request)
    const query = queryOfRequest(request)
    const text = readFilter(query)
    const cursor = query.get('cursor')
    const filter = filterOf(text)
    const view = await operations.ask(async (each) => {
      const deadLetters = deadLettersOf(text, each)
      const limits = { cursor, limit: ROWS }
      const [{ total, causes }, page] = await Promise.all([
        deadLetters.causes(filter),
        deadLetters.page(filter, limits),
      ])
      return { total, causes, page, isLedgerAsked: each.isLedgerAsked() }
    }, COUNT_MS)
    const isFirstPage = cursor === null
    return pageReply(reply, deadLettersPage({ session, filter: text, ...view, isFirstPage, nowMs: clock() }))
  })

  server.get<ById>('/dead-letters/:id', async (request, reply) => {
    const session = await sessionFor(request)
    const found = await deadLetterOf(context, request.params.id)
    return pageReply(reply, deadLetterPage({ session, ...found, showsPayload: false }))
  })

  server.post<ById>('/dead-letters/:id/payload', async (request, reply) => {
    const session = await sessionFor(request)
    formOf(request, session)
    const found = await deadLetterOf(context, request.params.id)
    // First on record, then on the screen.
    await operations.ask(
      ({ deadLetters }) => deadLetters.recordLook(found.deadLetter.id, session.account.name),
      LEDGER_MS,
    )
    return pageReply(reply, deadLetterPage({ session, ...found, showsPayload: true }))
  })

  server.post('/dead-letters/confirm', async (request, reply) => {
    const session = operatorRequired(await sessionFor(request))
    const form = formOf(request, session)
    const verb = verbOf(form)
    const asked = readFilter(form)
    // Nothing ticked must never mean everything.
    if (form.has('only') && !asked.ids) throw new Refusal('invalid_request', 'No dead letter was selected.')
    // Events that die after the question are not part of the answer.
    const filter = asked.ids ? asked : { until: new Date(clock()).toISOString(), ...asked }
    const options = { actor: session.account.name, dryRun: true }
    const { matched } = await operations.ask<{ matched: number }>(
      (each) => deadLettersOf(filter, each)[verb](filterOf(filter), options),
      COUNT_MS,
    )
    return pageReply(reply, confirmPage({ session, verb, asked, filter, matched }))
  })

  server.post('/dead-letters/run', async (request, reply) => {
    const session = operatorRequired(await sessionFor(request))
    const form = formOf(request, session)
    const deadLetters = readFilter(form)
    if (!isNarrowing(deadLetters)) throw new Refusal('invalid_request', 'This was not asked by the page before.')
    filterOf(deadLetters)
    const run = runs.begin(verbOf(form), deadLetters, session.account.name, clock())
    return reply.redirect(`/runs/${run.id}`, 303)
  })
}

/** An id is an event's or a run's, and never both. */
async function deadLetterOf({ operations }: Console, id: string) {
  const event = await operations.ask(({ deadLetters }) => deadLetters.show(id))
  if (event) return { deadLetter: event, queue: 'events' as const }
  const run = await operations.ask(({ reactionDeadLetters }) => reactionDeadLetters.show(id))
  if (run) return { deadLetter: run, queue: 'reactions' as const }
  throw new Refusal('not_found', 'There is no dead letter of this id: it was replayed, discarded or settled meanwhile.')
}

function verbOf(form: URLSearchParams): Verb {
  const verb = form.get('verb')
  if (verb === 'replay' || verb === 'discard') return verb
  throw new Refusal('invalid_request', 'The verbs are replay and discard.')
}

function operatorRequired(session: Session): Session {
  if (session.account.role !== 'operator') throw new Refusal('role_forbidden')
  return session
}
