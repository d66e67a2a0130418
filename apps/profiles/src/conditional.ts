import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Gives an answer that everybody may have its ETag, and leaves the body out when the caller has it already. Caches may
 * keep it and must ask each time: a deleted user's page is not to live on in them.
 */
export async function conditional(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const isPublic = request.routeOptions.config.isPublic === true && reply.statusCode === 200
  if (!isPublic || typeof payload !== 'string') return payload
  const etag = `"${createHash('sha256').update(payload).digest('base64url').slice(0, 27)}"`
  reply.header('etag', etag).header('cache-control', 'public, no-cache')
  if (!isKnown(etag, request.headers['if-none-match'])) return payload
  reply.code(304)
  // To HEAD, Fastify answers with the length of this body, which is the page's, and sends none of it.
  return request.method === 'HEAD' ? payload : null
}

const isKnown = (etag: string, header = '') =>
  header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag)
