import {
  type EventTrace,
  type ObjectTrace,
  type ReactionTrace,
  type Trace,
  type TraceStep,
  versionTime,
} from '@clerk-mirror/operations'
import { type Command, type ExitCode, WrongUsage } from './command.js'
import { withOperations } from './operations.js'
import { table } from './table.js'

export const showTrace: Command = {
  usage: 'ID [--json]',
  summary: 'Show the full history of an event (msg_…) or of a Clerk object (user_…, org_…).',
  examples: ['trace msg_2bYZ0example', 'trace user_2bYZ0example', 'trace user_2bYZ0example --json'],
  options: {},
  run(call) {
    const [id, ...more] = call.positionals
    if (id === undefined || more.length > 0) throw new WrongUsage('name one event or object')
    return withOperations<ExitCode>(call, async (operations) => {
      const trace = await operations.trace(id)
      if (!trace) {
        call.note(`Neither queue nor ledger nor tables know of ${id}. Refused events are in the log of ingest.`)
        return 1
      }
      call.out(...(call.values['json'] ? [JSON.stringify(trace)] : inWords(trace)))
      return 0
    })
  },
}

const inWords = (trace: Trace) => (trace.kind === 'event' ? eventInWords(trace) : objectInWords(trace))

function eventInWords(trace: EventTrace): string[] {
  const { id, type, objectId, source, where, outcome, attempts, lagMs, version, comparison, reactions, steps } = trace
  return [
    `${id}  ${type} of ${objectId ?? 'no object'}, from ${source}`,
    `now        ${where}${outcome === null ? '' : `; the ledger says ${outcome}`}`,
    `tries      ${attempts}`,
    `lag        ${lagMs === null ? 'not decided yet' : `${lagMs} ms from receipt to the table`}`,
    `version    ${version ? versionTime(version.updatedAtMs) : 'not known any more'}; ${AGAINST_STORED[comparison]}`,
    ...reactions.map(reactionInWords),
    ...stepLines(steps),
  ]
}

const reactionInWords = ({ reaction, objectId, id, where, attempts, reason }: ReactionTrace) =>
  `reaction   ${reaction} to ${objectId}: ${where}${id === null ? '' : `, ${id}, ${attempts} tries`}${reason ? `, ${reason.class}/${reason.code}` : ''}`

const AGAINST_STORED: Readonly<Record<EventTrace['comparison'], string>> = {
  'is-stored': 'it is the stored version',
  newer: 'newer than the stored version',
  older: 'older than the stored version',
  deleted: 'its object is deleted, for good',
  'nothing-stored': 'no stored object',
  unknown: 'the stored version cannot be compared with it',
}

function objectInWords(trace: ObjectTrace): string[] {
  const { id, objectKind, state, version, userId, organizationId, deletedAtMs, deletedBy, events, queued } = trace
  const lines = [
    `${id}  ${objectKind ?? 'of no known kind'}`,
    `now        ${state}${deletedAtMs === null ? '' : ` at ${iso(deletedAtMs)} by ${deletedBy}`}`,
    `version    ${version ? `${versionTime(version.updatedAtMs)}, with ${version.eventId}` : 'none'}`,
    ...(trace.isFarAhead
      ? ['           far in the future: nothing from Clerk is newer; `versions release` mends that']
      : []),
    `about      ${[userId, organizationId].filter((each) => each !== null && each !== id).join(', ') || 'itself'}`,
    ...stepLines(trace.steps),
  ]
  if (queued.length > 0) {
    const rows = queued.map((each) => [each.id, each.type, each.where, String(each.attempts), iso(each.receivedAtMs)])
    lines.push('', ...table(['in the queue', 'type', 'state', 'tries', 'received'], rows))
  }
  if (!trace.isQueueSearched) lines.push('', 'The queue is too long to look at all of it: more may be there.')
  if (events.length > 0) {
    const rows = events.map((each) => [each.id, each.type, each.outcome, String(each.attempts), iso(each.decidedAtMs)])
    lines.push('', ...table(['decided', 'type', 'outcome', 'tries', 'at'], rows))
  }
  return lines
}

const stepLines = (steps: readonly TraceStep[]) => steps.map((step) => `${iso(step.atMs)}  ${stepInWords(step)}`)

function stepInWords(step: TraceStep): string {
  if (step.kind === 'given-up') return `given up: ${step.reason.class}/${step.reason.code}: ${step.reason.message}`
  if (step.kind === 'decided') return step.outcome
  if (step.kind === 'operator') return `${step.action}, by ${step.actor}`
  if (step.kind === 'due') return 'will be tried again'
  return step.kind
}

const iso = (timeMs: number) => new Date(timeMs).toISOString()
