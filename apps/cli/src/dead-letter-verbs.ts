import type { BulkOptions, DeadLetterFilter, DeadLetterOperations } from '@clerk-mirror/operations'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, type Values, WrongUsage } from './command.js'
import { demandTerminal, isConfirmed } from './confirm.js'
import {
  deadLettersOf,
  demandFilter,
  FILTER_OPTIONS,
  FILTER_USAGE,
  RETRY_FILTER_OPTIONS,
  RETRY_FILTER_USAGE,
} from './dead-letter-options.js'
import { interruption } from './interruption.js'
import { withOperations } from './operations.js'
import { progressView } from './progress.js'

const PACE_OPTIONS: Command['options'] = {
  'dry-run': { type: 'boolean', doc: 'count matching dead letters, and touch nothing' },
  rate: { type: 'string', doc: 'most dead letters a second' },
}
const BULK_OPTIONS: Command['options'] = { ...FILTER_OPTIONS, ...PACE_OPTIONS }
const YES: Command['options'] = { yes: { type: 'boolean', doc: 'do not ask for confirmation' } }

type Counts<Name extends string> = { matched: number; skipped: number } & Record<Name, number>

/** Where a verb differs from the others; its name is that of the count in JSON. */
type Verb<Name extends string> = {
  name: Name
  step: string
  of: (deadLetters: DeadLetterOperations) => (filter: DeadLetterFilter, options: BulkOptions) => Promise<Counts<Name>>
  would: string
  done: string
  /** Asked on a terminal unless `--yes` is given: the filter to act on, or null for a no. */
  ask?: (
    deadLetters: DeadLetterOperations,
    filter: DeadLetterFilter,
    options: BulkOptions,
  ) => Promise<DeadLetterFilter | null>
  declined?: string
}

const REPLAY: Verb<'replayed'> = {
  ...{ name: 'replayed', step: 'replay', of: ({ replay }) => replay },
  ...{ would: 'would be replayed', done: 'replayed' },
}
const DISCARD: Verb<'discarded'> = {
  ...{ name: 'discarded', step: 'discard', of: ({ discard }) => discard },
  ...{ would: 'would be discarded', done: 'discarded', ask: askToDiscard, declined: 'Nothing was discarded.' },
}
const RETRY_NOW: Verb<'retried'> = {
  ...{ name: 'retried', step: 'retry-now', of: ({ retryNow }) => retryNow },
  ...{ would: 'would be tried now', done: 'are tried now', ask: askToRetry, declined: 'Nothing was tried.' },
}

export const replayDeadLetters: Command = {
  usage: `${FILTER_USAGE} [--dry-run] [--rate N] [--json]`,
  summary: 'Move dead letters back into the queue, with all their attempts. Newer state is never undone.',
  examples: [
    'dead-letters replay --id msg_2bYZ0example',
    'dead-letters replay --fingerprint 5b2c0d1e --dry-run',
    'dead-letters replay --class unknown --since 1d --rate 200',
    'dead-letters replay --queue reactions --type log-new-users',
    'dead-letters replay --class killer --unproven',
  ],
  options: BULK_OPTIONS,
  run: (call) => runVerb(call, REPLAY),
}

export const discardDeadLetters: Command = {
  usage: `${FILTER_USAGE} [--dry-run] [--rate N] [--yes] [--json]`,
  summary: 'Delete dead letters for good. Only Clerk can restore one, by sending it again.',
  examples: ['dead-letters discard --id msg_2bYZ0example', 'dead-letters discard --fingerprint 5b2c0d1e --yes --json'],
  options: { ...BULK_OPTIONS, ...YES },
  run: (call) => runVerb(call, DISCARD),
}

export const retryEventsNow: Command = {
  usage: `${RETRY_FILTER_USAGE} [--dry-run] [--rate N] [--yes] [--json]`,
  summary: 'Try failed events now that wait for their next try. Each uses that try: remove the cause first.',
  examples: [
    'dead-letters retry-now --id msg_2bYZ0example',
    'dead-letters retry-now --reason handler_threw --yes',
    'dead-letters retry-now --queue reactions --type webhook-5b2c0d1e --dry-run',
  ],
  options: { ...RETRY_FILTER_OPTIONS, ...PACE_OPTIONS, ...YES },
  run: (call) => runVerb(call, RETRY_NOW),
}

function runVerb<Name extends string>(call: Call, verb: Verb<Name>): Promise<ExitCode> {
  const filter = filterOf(call)
  const options = optionsOf(call.values)
  const ask = options.dryRun === true || call.values['yes'] === true ? undefined : verb.ask
  if (ask) demandTerminal()
  return withOperations<ExitCode>(call, async (operations) => {
    const deadLetters = deadLettersOf(call.values, operations)
    const agreed = ask ? await ask(deadLetters, filter, options) : filter
    if (!agreed) {
      call.note(verb.declined ?? '')
      return 1
    }
    const { result, isStopped } = await showing(verb.step, (shown) =>
      verb.of(deadLetters)(agreed, { ...options, ...shown }),
    )
    const { matched, skipped, [verb.name]: done } = result
    if (call.values['json']) call.out(JSON.stringify({ matched, [verb.name]: done, skipped }))
    else if (options.dryRun) call.out(`${matched} ${verb.would}. Nothing was touched.`)
    else call.out(`${matched} matched, ${done} ${verb.done}, ${skipped} skipped.`)
    return exitCode(call, filter, matched, isStopped)
  })
}

function filterOf({ values, positionals }: Call): DeadLetterFilter {
  if (positionals.length > 0) throw new WrongUsage('name the dead letters with --id')
  return demandFilter(values, Date.now())
}

function optionsOf({ 'dry-run': dryRun, rate }: Values): BulkOptions {
  const ratePerS = Number(rate)
  if (rate !== undefined && !(ratePerS > 0))
    throw new WrongUsage('--rate is a number of dead letters a second, above 0')
  return { actor: actor(), dryRun: dryRun === true, ...(rate !== undefined && { ratePerS }) }
}

/** Events that fail while the question stands are not part of the answer: null when that is no. */
async function askToDiscard(
  deadLetters: DeadLetterOperations,
  filter: DeadLetterFilter,
): Promise<DeadLetterFilter | null> {
  const { total, causes } = await deadLetters.causes(filter)
  if (total === 0) return filter
  const question = `Discard ${total} ${total === 1 ? 'dead letter' : 'dead letters'} of ${causes.length === 1 ? 'one cause' : `${causes.length} causes`}, for good?`
  const untilMs = Math.max(...causes.map(({ lastFailedAtMs }) => lastFailedAtMs))
  return (await isConfirmed(question)) ? { ...filter, untilMs } : null
}

async function askToRetry(
  deadLetters: DeadLetterOperations,
  filter: DeadLetterFilter,
  options: BulkOptions,
): Promise<DeadLetterFilter | null> {
  const { matched } = await deadLetters.retryNow(filter, { ...options, dryRun: true })
  const question = `Try ${matched} ${matched === 1 ? 'event' : 'events'} now, each of which uses a try?`
  return matched === 0 || (await isConfirmed(question)) ? filter : null
}

type Shown = Required<Pick<BulkOptions, 'signal' | 'onProgress'>>

/** With progress on standard error, until it is done or Ctrl-C is pressed. */
async function showing<T>(
  step: string,
  work: (shown: Shown) => Promise<T>,
): Promise<{ result: T; isStopped: boolean }> {
  using stop = interruption()
  const view = progressView(step)
  const onProgress = (done: number, of: number) => view.show({ done, of })
  const result = await work({ signal: stop.signal, onProgress }).finally(view.end)
  return { result, isStopped: stop.signal.aborted }
}

function exitCode({ note }: Call, { ids }: DeadLetterFilter, matched: number, isStopped: boolean): ExitCode {
  if (isStopped) note('Stopped. The same command does the rest.')
  // An operator that names a dead letter expects it to exist.
  return isStopped || (ids !== undefined && matched === 0) ? 1 : 0
}
