import { Failure } from '@clerk-mirror/events'
import type { Mirror, ObjectNow, ReactionRequest } from '@clerk-mirror/mirror'
import type { Delivery, Disposition, Handle } from '@clerk-mirror/queue/consume'
import type { Log } from '@clerk-mirror/runtime'
import { RUN_GATHER_MS, RUN_MS } from '../limits.js'
import type { CurrentObject, Reaction, ReactionRun } from '../reactions/reaction.js'
import type { ReadObject } from './batched-object-reader.js'
import { coalesceCompletions } from './coalesce-completions.js'
import { requestIn } from './reaction-job.js'
import type { Throttle } from './throttle.js'

/** A failure with a pause in ms that the receiver asked for. Reactions may throw it. */
export class TryLater extends Failure {
  readonly notBeforeMs: number

  constructor(failure: Failure, notBeforeMs: number) {
    super(failure.class, failure.code, failure.message, failure.cause)
    this.notBeforeMs = notBeforeMs
  }
}

export type RunnerOptions = {
  objectNow: ReadObject
  canary: Mirror['canary']
  /** Awaited before each run. */
  throttle: Throttle
  log: Log
  /** Aborted when the worker stops: its runs are abandoned, and run elsewhere. */
  stop: AbortSignal
  onDone: (request: ReactionRequest) => void
}

/**
 * Runs one reaction for each delivery; each run is independent. But runs that are completed at about the same time are
 * settled together: the queue finishes them, and starts as many others, by one script, and one statement reads the
 * objects of those.
 */
export function runnerOf(reaction: Reaction, options: RunnerOptions): Handle {
  const settle = coalesceCompletions(RUN_GATHER_MS)
  return (batch) => Promise.all(batch.map((delivery) => settle(runOne(reaction, delivery, options))))
}

async function runOne(reaction: Reaction, delivery: Delivery, options: RunnerOptions): Promise<Disposition> {
  const { stop, throttle, onDone } = options
  const request = requestIn(delivery.envelope)
  if (!request) return failed(new Failure('poison', 'reaction_unreadable', 'the job holds no reaction request'))
  // A suspect's crash count is recorded already, and it runs alone.
  if (!delivery.isStalled) await throttle()
  if (stop.aborted) return { kind: 'released' }
  const read = reader(request.objectId, options)
  const failure = await runWithTimeout(reaction, delivery, request, read.object, options)
  if (failure === null) {
    onDone(request)
    return { kind: 'done' }
  }
  if (stop.aborted) return { kind: 'released' }
  // Takes precedence over the reaction's own error: when the database is away no run can begin, and no try is used.
  const cause = read.failure() ?? failure
  if (cause.class === 'outage') throw cause
  return failed(cause)
}

const failed = (failure: Failure): Disposition => ({
  ...{ kind: 'failed', failure },
  ...(failure instanceof TryLater && { notBeforeMs: failure.notBeforeMs }),
})

/** Reads the object when the reaction calls it, and remembers a failure. */
function reader(objectId: string, { objectNow, canary }: RunnerOptions) {
  let failure: Failure | null = null
  const object = async (): Promise<CurrentObject | null> => {
    try {
      const now = await objectNow(objectId)
      return now && withFields(now)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      failure = await blamed(error, canary)
      throw failure
    }
  }
  return { object, failure: () => failure }
}

/** Parsed lazily: most reactions use only the ids. */
function withFields(now: ObjectNow): CurrentObject {
  let fields: CurrentObject['fields'] | undefined
  return {
    ...now,
    get fields() {
      fields ??= parsed(now.data)
      return fields
    },
  }
}

function parsed(data: string): CurrentObject['fields'] {
  try {
    return JSON.parse(data) as Record<string, unknown>
  } catch {
    throw new Failure('unknown', 'object_unreadable', 'the stored object is no JSON')
  }
}

/** The failure of a read, or that of the canary when the database does not work at all. */
async function blamed(failure: Failure, canary: () => Promise<void>): Promise<Failure> {
  if (failure.class === 'outage') return failure
  try {
    await canary()
    return failure
  } catch (outage) {
    return outage instanceof Failure ? outage : failure
  }
}

/** Runs the reaction until its timeout; null when it is done. */
async function runWithTimeout(
  reaction: Reaction,
  { envelope, attempt }: Delivery,
  { reaction: _, ...change }: ReactionRequest,
  object: ReactionRun['object'],
  { log, stop }: RunnerOptions,
): Promise<Failure | null> {
  const abort = new AbortController()
  const { promise: ended, resolve } = endOf(abort.signal)
  const isOver = () => abort.abort()
  const timer = setTimeout(isOver, reaction.timeoutMs ?? RUN_MS)
  stop.addEventListener('abort', isOver, { once: true })
  const { signal } = abort
  const idempotencyKey = envelope.eventId
  const run: ReactionRun = {
    change,
    object,
    idempotencyKey,
    attempt,
    log: logOf(log, reaction, idempotencyKey),
    signal,
  }
  try {
    const late = ended.then(() => new Failure('unknown', 'reaction_timeout', 'the run took longer than it may'))
    // A run that ignores its signal continues unobserved: it is tried again, and may do its work twice.
    return await Promise.race([reaction.react(run).then(() => null), late])
  } catch (error) {
    return failureOf(error)
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', isOver)
    resolve()
  }
}

function endOf(signal: AbortSignal): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
    signal.addEventListener('abort', () => done(), { once: true })
  })
  return { promise, resolve: () => resolve() }
}

/** A thrown message may quote personal data: only the messages of Failures are passed on. */
function failureOf(error: unknown): Failure {
  if (error instanceof Failure && (error.class === 'poison' || error.class === 'unknown')) return error
  const name = error instanceof Error ? error.name : typeof error
  return new Failure('unknown', 'reaction_failed', `the reaction threw ${name}`, error)
}

function logOf(log: Log, { name: reaction }: Reaction, idempotencyKey: string): Log {
  type Line = Parameters<Log['info']>
  const at =
    (level: keyof Log) =>
    (...[fields, message]: Line) =>
      log[level]({ ...fields, reaction, idempotencyKey }, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
