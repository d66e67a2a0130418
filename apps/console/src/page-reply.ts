import type { Html } from '@clerk-mirror/pages'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from './errors.js'
import { sessionOf } from './security.js'
import type { Session, Sessions } from './sessions.js'

export const pageReply = (reply: FastifyReply, page: Html): FastifyReply =>
  reply.type('text/html; charset=utf-8').send(String(page))

/** @throws Refusal for whoever has not signed in. */
export async function sessionRequired(request: FastifyRequest, sessions: Sessions): Promise<Session> {
  const session = await sessionOf(request, sessions)
  if (!session) throw new Refusal('sign_in_required')
  return session
}

/** The part of the address after the question mark, names and all their values. */
export const queryOfRequest = (request: FastifyRequest): URLSearchParams =>
  new URLSearchParams(request.url.split('?').slice(1).join('?'))
