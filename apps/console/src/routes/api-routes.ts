import { Readable } from 'node:stream'
import {
  type BulkOptions,
  type DeadLetterFilter,
  type DeadLetterOperations,
  deadLetterJson,
} from '@clerk-mirror/operations'
import type { DeadLetter } from '@clerk-mirror/queue/operate'
import { printable } from '@clerk-mirror/runtime'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { accountOfToken } from '../auth/callers.js'
import type { Console } from '../context.js'
import { deadLettersOf, filterOf, readFilter } from '../dead-letter-filter.js'
import { Refusal } from '../errors.js'
import { refusalOf } from '../failures.js'
import { API_ROWS_MAX, COUNT_MS, LEDGER_MS, ROWS } from '../limits.js'
import { bulkOf } from './bulk-request.js'
import { queryOfRequest } from './page-reply.js'

type ById = { Params: { id: string } }

/** The same operations as the pages', for programs: bearer tokens only, for a cookie here would invite other sites. */
export function apiRoutes(server: FastifyInstance, context: Console): void {
  const { operations } = context
  const accountFor = (request: FastifyRequest, reply: FastifyReply) => accountOfToken(request, reply, context)

  server.get('/api/status', async (request, reply) => {
    accountFor(request, reply)
    return operations.ask((each) => each.status())
  })

  server.get('/api/activity', async (request, reply) => {
    accountFor(request, reply)
    return operations.ask((each) => each.activity(), LEDGER_MS)
  })

  server.get<ById>('/api/trace/:id', async (request, reply) => {
    accountFor(request, reply)
    const trace = await operations.ask((each) => each.trace(request.params.id), LEDGER_MS)
    if (!trace) throw new Refusal('not_found', 'Neither queue nor ledger nor tables know of this id.')
    return trace
  })

  server.get('/api/audit', async (request, reply) => {
    accountFor(request, reply)
    return operations.ask((each) => each.audit(pageOf(queryOfRequest(request))), LEDGER_MS)
  })

  server.get('/api/dead-letters', async (request, reply) => {
    accountFor(request, reply)
    const query = queryOfRequest(request)
    const text = readFilter(query)
    const filter = filterOf(text)
    const { items, cursor } = await operations.ask((each) => deadLettersOf(text, each).page(filter, pageOf(query)))
    return { items: items.map(deadLetterJson), cursor }
  })

  server.get('/api/dead-letters/causes', async (request, reply) => {
    accountFor(request, reply)
    const text = readFilter(queryOfRequest(request))
    const filter = filterOf(text)
    return operations.ask((each) => deadLettersOf(text, each).causes(filter), COUNT_MS)
  })

  server.get('/api/dead-letters/export', async (request, reply) => {
    accountFor(request, reply)
    const text = readFilter(queryOfRequest(request))
    const filter = filterOf(text)
    const deadLetters = deadLettersOf(text, await operations.open())
    return reply.type('application/x-ndjson').send(Readable.from(jsonLines(deadLetters.each(filter))))
  })

  server.get<ById>('/api/dead-letters/:id', async (request, reply) => {
    accountFor(request, reply)
    const deadLetter = await operations.ask(
      async ({ deadLetters, reactionDeadLetters }) =>
        (await deadLetters.show(request.params.id)) ?? (await reactionDeadLetters.show(request.params.id)),
    )
    if (!deadLetter) throw new Refusal('not_found', 'There is no dead letter of this id.')
    const { envelope, stack } = deadLetter
    return {
      ...deadLetterJson(deadLetter),
      source: envelope?.source ?? null,
      instanceId: envelope?.instanceId ?? null,
      stack,
    }
  })

  bulkRoute(server, context, 'replay', ({ replay }) => replay)
  bulkRoute(server, context, 'discard', ({ discard }) => discard)
  bulkRoute(server, context, 'retry-now', ({ retryNow }) => retryNow)
}

type Bulk = (filter: DeadLetterFilter, options: BulkOptions) => Promise<object>

function bulkRoute(
  server: FastifyInstance,
  context: Console,
  verb: string,
  of: (deadLetters: DeadLetterOperations) => Bulk,
): void {
  server.post(`/api/dead-letters/${verb}`, async (request, reply) => {
    const account = accountOfToken(request, reply, context)
    if (account.role !== 'operator') throw new Refusal('role_forbidden')
    const { filter: text, dryRun, ratePerS } = bulkOf(request.body)
    const filter = filterOf(text)
    // A caller that goes away ends the rest of its work; completed work stays.
    const abort = new AbortController()
    reply.raw.once('close', () => abort.abort())
    const options: BulkOptions = { actor: account.name, dryRun, ratePerS, signal: abort.signal }
    const deadLetters = deadLettersOf(text, await context.operations.open())
    return of(deadLetters)(filter, options).catch((error: unknown) => {
      throw refusalOf(error)
    })
  })
}

function pageOf(query: URLSearchParams): { cursor: string | null; limit: number } {
  const limit = Number(query.get('limit') ?? ROWS)
  if (!Number.isInteger(limit) || limit < 1 || limit > API_ROWS_MAX) {
    throw new Refusal('invalid_request', `The limit is a whole number from 1 to ${API_ROWS_MAX}.`)
  }
  return { cursor: query.get('cursor'), limit }
}

async function* jsonLines(deadLetters: AsyncIterable<DeadLetter>): AsyncGenerator<string> {
  for await (const deadLetter of deadLetters) yield `${printable(JSON.stringify(deadLetterJson(deadLetter)))}\n`
}
