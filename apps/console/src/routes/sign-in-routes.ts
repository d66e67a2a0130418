import type { FastifyInstance, FastifyReply } from 'fastify'
import { formOf, sessionOf, setSessionCookie } from '../auth/security.js'
import { judgeToken } from '../auth/token-strength.js'
import type { Console } from '../context.js'
import { REFUSALS } from '../errors.js'
import { signInPage } from '../pages/sign-in-page.js'
import { markupOf } from './page-reply.js'

const open = { config: { isOpen: true } }

export function signInRoutes(server: FastifyInstance, context: Console): void {
  const { sessions, log } = context
  const show = (reply: FastifyReply, status: number, page: { problem?: string; next: string }) =>
    reply
      .code(status)
      .type('text/html; charset=utf-8')
      .send(markupOf(signInPage(page)))

  server.get<{ Querystring: { next?: unknown } }>('/sign-in', async (request, reply) => {
    const next = placeHere(request.query.next)
    return (await sessionOf(request, sessions)) ? reply.redirect(next) : show(reply, 200, { next })
  })

  server.post('/sign-in', open, (request, reply) => {
    const form = formOf(request, null)
    const next = placeHere(form.get('next'))
    const found = judgeToken(form.get('token') ?? '', request, context)
    if (found.kind === 'wrong') return show(reply, 401, { next, problem: REFUSALS.wrong_token.message })
    if (found.kind === 'limited') {
      reply.header('retry-after', found.waitS)
      return show(reply, 429, { next, problem: REFUSALS.too_many_attempts.message })
    }
    const { account } = found
    log.info({ event: 'console.signed_in', actor: account.name, role: account.role })
    setSessionCookie(request, reply, sessions.begin(account))
    return reply.redirect(next, 303)
  })

  server.post('/sign-out', open, async (request, reply) => {
    const session = await sessionOf(request, sessions)
    formOf(request, session)
    // First for every process, then in this browser: a copied cookie is worth nothing then.
    if (session) {
      await sessions.end(session)
      log.info({ event: 'console.signed_out', actor: session.account.name })
    }
    setSessionCookie(request, reply, null)
    return reply.redirect('/sign-in', 303)
  })
}

/** An address of ours, never one that a foreign link has put there. */
function placeHere(next: unknown): string {
  const here = 'http://console.invalid'
  if (typeof next !== 'string' || !next.startsWith('/') || !URL.canParse(next, here)) return '/'
  const { origin, pathname, search } = new URL(next, here)
  return origin === here && !pathname.startsWith('//') ? `${pathname}${search}` : '/'
}
