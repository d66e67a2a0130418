import type { Socket } from 'node:net'
import { Failure } from '@clerk-mirror/mirror'
import type { Log } from '@clerk-mirror/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Assets } from './assets.js'
import { CODE_OF_FASTIFY, CODE_OF_NODE, REFUSALS, Refusal, type RefusalCode, refusalBody } from './errors.js'
import { RETRY_AFTER_S } from './limits.js'
import { refusalPage } from './pages/refusal-page.js'

/** Answers a request with its error: programs get JSON, people a page. */
export function refuse(assets: Assets, request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const code = codeOf(error)
  const { status } = REFUSALS[code]
  if (status === 503) reply.header('retry-after', RETRY_AFTER_S)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  reply.code(status).header('cache-control', 'no-store')
  if (isForPeople(request)) return reply.type('text/html; charset=utf-8').send(refusalPage(assets, code).toString())
  const fields = error instanceof Refusal ? error.fields : undefined
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(refusalBody(code, fields)))
}

const EVENTS: Partial<Readonly<Record<RefusalCode, string>>> = {
  internal: 'profiles.failed',
  database_unavailable: 'profiles.database_unavailable',
  profile_conflict: 'profiles.conflict',
}

/** Logs failures that are not the caller's fault. */
export function report(log: Log, error: unknown): void {
  const code = codeOf(error)
  const event = EVENTS[code]
  if (event === undefined) return
  // A failure without its cause: the server's own texts quote values, and those are people's texts.
  const fields = error instanceof Failure ? { event, code: error.code, cause: error.message } : { event, err: error }
  if (code === 'internal') log.error(fields)
  else log.warn(fields)
}

/** Any other failure of the database may pass. */
const CODE_OF_CLASS: Partial<Readonly<Record<Failure['class'], RefusalCode>>> = {
  // A value that the database refuses has slipped through our own checks.
  poison: 'internal',
  // A unique index, foreign key or trigger that the application added: another try would end alike.
  blocked: 'profile_conflict',
}

function codeOf(error: unknown): RefusalCode {
  if (error instanceof Refusal) return error.code
  if (error instanceof Failure) return CODE_OF_CLASS[error.class] ?? 'database_unavailable'
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return (typeof code === 'string' && CODE_OF_FASTIFY[code]) || 'internal'
}

/** A page's own path, or one that does not exist and that a browser went to. */
function isForPeople({ routeOptions, headers, is404 }: FastifyRequest): boolean {
  return is404 ? (headers.accept ?? '').includes('text/html') : routeOptions.config.isPage === true
}

/** Answers bytes that Node could not parse as a request, and that so never reached Fastify. */
export function refuseRaw(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = CODE_OF_NODE[error.code ?? ''] ?? 'malformed_request'
  const body = JSON.stringify(refusalBody(code))
  const head = `HTTP/1.1 ${REFUSALS[code].status} Refused\r\ncontent-type: application/json; charset=utf-8\r\n`
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}
