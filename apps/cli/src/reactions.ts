import { randomUUID } from 'node:crypto'
import type { ForgetResult, ReactionBacklog } from '@clerk-mirror/operations'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { demandTerminal, isConfirmed } from './confirm.js'
import { interruption } from './interruption.js'
import { withOperations } from './operations.js'
import { progressView } from './progress.js'
import { table } from './table.js'

/** What ids and names are made of. */
const WORD = /^[!-~]{1,64}$/

export const listReactions: Command = {
  usage: '[--json]',
  summary: 'List the reactions there are, who runs them, and what waits for each.',
  examples: ['reactions list', 'reactions list --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name')
    return withOperations<ExitCode>(call, async (operations) => {
      const all = await operations.reactions.list()
      if (call.values['json']) call.out(JSON.stringify(all))
      else call.out(...(all.length === 0 ? ['No worker has ever had a reaction.'] : asTable(all)))
      return 0
    })
  },
}

function asTable(all: readonly ReactionBacklog[]): string[] {
  const rows = all.map(({ reaction, workers, isRegistered, outbox, queue, oldestAgeS }) => [
    ...[reaction, String(workers), isRegistered ? 'yes' : 'no', String(outbox)],
    ...[queue.waiting, queue.active, queue.retrying, queue.dead].map(String),
    oldestAgeS === 0 ? '–' : `${oldestAgeS.toFixed(1)} s`,
  ])
  return table(['reaction', 'workers', 'requested', 'outbox', 'waiting', 'active', 'retrying', 'dead', 'oldest'], rows)
}

export const askReaction: Command = {
  usage: '--reaction NAME --kind KIND [--id ID …] [--request ID] [--dry-run] [--json]',
  summary:
    'Ask a reaction for objects as they are now, each as if it had just been created, whatever it wants to hear of.',
  examples: [
    'reactions ask --reaction log-new-users --kind user --dry-run',
    'reactions ask --reaction log-new-users --kind user --request new-billing',
    'reactions ask --reaction log-new-users --kind user --id user_2bYZ0example',
  ],
  options: {
    reaction: { type: 'string', doc: 'its name, as `reactions list` has it' },
    kind: { type: 'string', doc: 'objects of this kind: user, organization, organizationMembership, …' },
    id: { type: 'string', multiple: true, doc: 'only this object' },
    request: { type: 'string', doc: 'under the same name the runs have the same keys; made up unless told' },
    'dry-run': { type: 'boolean', doc: 'say how many objects there are, and ask for nothing' },
  },
  run(call) {
    const { values, out } = call
    if (call.positionals.length > 0) throw new WrongUsage('name the reaction with --reaction')
    const reaction = word(call, 'reaction') ?? missing('reaction')
    const kind = word(call, 'kind') ?? missing('kind')
    const requestId = word(call, 'request') ?? randomUUID()
    const ids = chosenIds(values['id'])
    const dryRun = values['dry-run'] === true
    return withOperations<ExitCode>(call, async (operations) => {
      using stop = interruption()
      const view = progressView('ask')
      const onProgress = (done: number, of: number) => view.show({ done, of })
      const request = { actor: actor(), reaction, kind, ids, requestId }
      const { isDone, isResumed, matched, asked } = await operations.reactions
        .ask({ ...request, dryRun, signal: stop.signal, onProgress })
        .finally(view.end)
      if (isResumed) call.note(`Went on with the request ${requestId}, which was interrupted.`)
      if (values['json']) out(JSON.stringify({ done: isDone, request: dryRun ? null : requestId, matched, asked }))
      else if (dryRun) out(`${matched} objects would be asked for. Nothing was touched.`)
      else out(`${asked} objects asked for, as request ${requestId}.`)
      if (!isDone && !dryRun) call.note(`Stopped. The same command with --request ${requestId} goes on from here.`)
      return (isDone || dryRun) && (ids === null || matched === ids.length) ? 0 : 1
    })
  },
}

export const removeReaction: Command = {
  usage: 'NAME [--json]',
  summary:
    'Stop requesting a reaction, or those of its filters, that no living worker has any more. Waiting runs stay.',
  examples: ['reactions remove log-new-users', 'reactions remove log-new-users --json'],
  options: {},
  run(call) {
    const [name, ...more] = call.positionals
    if (name === undefined || more.length > 0) throw new WrongUsage('name one reaction')
    return withOperations<ExitCode>(call, async ({ reactions }) => {
      const result = await reactions.remove(name, { actor: actor() })
      if (call.values['json']) call.out(JSON.stringify(result))
      else if (result.kind === 'removed') call.out(`${name} is not requested any more. Waiting runs stay.`)
      else call.out(`${name} is requested for ${result.filters.join(', ')} alone, as its workers have it.`)
      return 0
    })
  },
}

export const forgetReaction: Command = {
  usage: 'NAME [--dry-run] [--yes] [--json]',
  summary:
    'Remove what waits for a reaction that no worker has any more, for good: its outbox, its runs, its dead letters.',
  examples: ['reactions forget log-new-users --dry-run', 'reactions forget log-new-users --yes --json'],
  options: {
    'dry-run': { type: 'boolean', doc: 'say how much waits, and touch nothing' },
    yes: { type: 'boolean', doc: 'do not ask' },
  },
  run(call) {
    const { values, positionals, note } = call
    const [name, ...more] = positionals
    if (name === undefined || more.length > 0) throw new WrongUsage('name one reaction')
    const dryRun = values['dry-run'] === true
    const isAsking = !dryRun && values['yes'] !== true
    if (isAsking) demandTerminal()
    return withOperations<ExitCode>(call, async ({ reactions }) => {
      using stop = interruption()
      const there = await reactions.forget(name, { actor: actor(), dryRun: true })
      if (dryRun) return report(call, there, 'would be removed. Nothing was touched.')
      const question = `Remove ${inWords(there)} of the reaction ${name}, for good?`
      if (isAsking && !(await isConfirmed(question))) {
        note('Nothing was removed.')
        return 1
      }
      const removed = await reactions.forget(name, { actor: actor(), signal: stop.signal })
      report(call, removed, 'removed.')
      if (!removed.isDone) note('Stopped. The same command does the rest.')
      return removed.isDone ? 0 : 1
    })
  },
}

const inWords = ({ outbox, runs }: ForgetResult) => `${outbox} rows of the outbox and ${runs} runs`

function report({ values, out }: Call, result: ForgetResult, what: string): ExitCode {
  const { isDone, outbox, runs } = result
  out(values['json'] ? JSON.stringify({ done: isDone, outbox, runs }) : `${inWords(result)} ${what}`)
  return 0
}

function word({ values }: Call, option: string): string | null {
  const value = values[option]
  if (value === undefined) return null
  if (typeof value !== 'string' || !WORD.test(value)) throw new WrongUsage(`--${option} is 1 to 64 visible characters`)
  return value
}

function missing(option: string): never {
  throw new WrongUsage(`--${option} is missing`)
}

function chosenIds(asked: Call['values'][string]): string[] | null {
  if (!Array.isArray(asked)) return null
  if (!asked.every((id) => WORD.test(id))) throw new WrongUsage('an id has 1 to 64 visible characters')
  return [...new Set(asked)]
}
