import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Console } from '../context.js'
import { Refusal } from '../errors.js'
import type { Account } from './accounts.js'
import { sessionOf } from './security.js'
import type { Session, Sessions } from './sessions.js'
import { judgeToken } from './token-strength.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Takes a body from a caller without a session or a token. */
    isOpen?: boolean
  }
}

/** The API answers in JSON, also for an address of it that does not exist. */
export const isApi = (request: FastifyRequest): boolean => request.url.startsWith('/api/')

/**
 * Runs before the body is read or asked for: a caller without a session or a token sends no body, and cannot make the
 * console parse one.
 * @throws Refusal
 */
export async function callerRequired(request: FastifyRequest, reply: FastifyReply, context: Console): Promise<void> {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead || request.routeOptions.config.isOpen) return
  if (isApi(request)) accountOfToken(request, reply, context)
  else await sessionRequired(request, context.sessions)
}

/** @throws Refusal for a caller without a session. */
export async function sessionRequired(request: FastifyRequest, sessions: Sessions): Promise<Session> {
  const session = await sessionOf(request, sessions)
  if (!session) throw new Refusal('sign_in_required')
  return session
}

/** The account of a request to the API. @throws Refusal */
export function accountOfToken(request: FastifyRequest, reply: FastifyReply, context: Console): Account {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined) {
    reply.header('www-authenticate', 'Bearer')
    throw new Refusal('sign_in_required')
  }
  const found = judgeToken(token, request, context)
  if (found.kind === 'account') return found.account
  if (found.kind === 'wrong') throw new Refusal('wrong_token')
  reply.header('retry-after', found.waitS)
  throw new Refusal('too_many_attempts')
}
