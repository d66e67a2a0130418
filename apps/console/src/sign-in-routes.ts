import { networkOf } from '@clerk-mirror/runtime'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { accountOf } from './accounts.js'
import type { Console } from './context.js'
import { REFUSALS } from './errors.js'
import { formOf, sessionOf, setSessionCookie } from './security.js'
import { signInPage } from './sign-in-page.js'

export function signInRoutes(server: FastifyInstance, { accounts, sessions, wrongTokens, log }: Console): void {
  const show = (reply: FastifyReply, status: number, page: { problem?: string; next: string }) =>
    reply
      .code(status)
      .type('text/html; charset=utf-8')
      .send(String(signInPage(page)))

  server.get<{ Querystring: { next?: unknown } }>('/sign-in', (request, reply) => {
    const next = placeHere(request.query.next)
    return sessionOf(request, sessions) ? reply.redirect(next) : show(reply, 200, { next })
  })

  server.post('/sign-in', (request, reply) => {
    const form = formOf(request, null)
    const next = placeHere(form.get('next'))
    const waitS = wrongTokens.waitS(request.ip)
    if (waitS > 0) {
      reply.header('retry-after', waitS)
      return show(reply, 429, { next, problem: REFUSALS.too_many_attempts.message })
    }
    const account = accountOf(form.get('token') ?? '', accounts)
    if (!account) {
      wrongTokens.add(request.ip)
      log.warn({ event: 'console.wrong_token', address: networkOf(request.ip) })
      return show(reply, 401, { next, problem: REFUSALS.wrong_token.message })
    }
    log.info({ event: 'console.signed_in', actor: account.name, role: account.role })
    setSessionCookie(request, reply, sessions.begin(account))
    return reply.redirect(next, 303)
  })

  server.post('/sign-out', (request, reply) => {
    formOf(request, sessionOf(request, sessions))
    setSessionCookie(request, reply, null)
    return reply.redirect('/sign-in', 303)
  })
}

/** An address of ours, whatever a link that somebody was sent has put there. */
function placeHere(next: unknown): string {
  const here = 'http://console.invalid'
  if (typeof next !== 'string' || !next.startsWith('/') || !URL.canParse(next, here)) return '/'
  const { origin, pathname, search } = new URL(next, here)
  return origin === here && !pathname.startsWith('//') ? `${pathname}${search}` : '/'
}
