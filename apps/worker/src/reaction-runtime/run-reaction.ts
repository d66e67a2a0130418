import { Failure } from '@clerk-mirror/events'
import type { AskedReaction, Mirror, ObjectNow } from '@clerk-mirror/mirror'
import type { Delivery, Disposition, Handle } from '@clerk-mirror/queue/consume'
import type { Log } from '@clerk-mirror/runtime'
import { RUN_GATHER_MS, RUN_MS } from '../limits.js'
import type { CurrentObject, Reaction, Run } from '../reactions/reaction.js'
import type { ReadObject } from './batched-object-reader.js'
import { askedIn } from './reaction-job.js'
import { inCompany } from './settle-together.js'
import type { Turn } from './throttle.js'

/** The failure of a receiver that is to be left alone for so many ms. Reactions may throw it. */
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
  /** Waited for before each run. */
  turn: Turn
  log: Log
  /** Aborted when the worker stops: what runs is given up, and runs elsewhere. */
  stop: AbortSignal
  onDone: (asked: AskedReaction) => void
}

/**
 * Runs one reaction for each delivery; each stands for itself. But those that are over in the same moment end together:
 * the queue finishes them, and starts as many others, by one script, and objects are read for those by one statement.
 */
export function runnerOf(reaction: Reaction, options: RunnerOptions): Handle {
  const together = inCompany(RUN_GATHER_MS)
  return (batch) => Promise.all(batch.map((delivery) => together(runOne(reaction, delivery, options))))
}

async function runOne(reaction: Reaction, delivery: Delivery, options: RunnerOptions): Promise<Disposition> {
  const { stop, turn, onDone } = options
  const asked = askedIn(delivery.envelope)
  if (!asked) return failed(new Failure('poison', 'reaction_unreadable', 'the job holds nothing that was asked for'))
  // A suspect has its strike already, and runs alone.
  if (!delivery.isSuspect) await turn()
  if (stop.aborted) return { kind: 'handed-back' }
  const read = reader(asked.objectId, options)
  const failure = await within(reaction, delivery, asked, read.object, options)
  if (failure === null) {
    onDone(asked)
    return { kind: 'done' }
  }
  if (stop.aborted) return { kind: 'handed-back' }
  // Whatever the reaction made of it: when the database is away nobody's run can begin, and no try is used.
  const cause = read.failure() ?? failure
  if (cause.class === 'outage') throw cause
  return failed(cause)
}

const failed = (failure: Failure): Disposition => ({
  ...{ kind: 'failed', failure },
  ...(failure instanceof TryLater && { notBeforeMs: failure.notBeforeMs }),
})

/** Reads the object when the reaction asks for it, and remembers that this failed. */
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

/** Parsed when they are looked at: most that is told of an object are its ids. */
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

/** The failure of a read, or, when the database does not work at all, that. */
async function blamed(failure: Failure, canary: () => Promise<void>): Promise<Failure> {
  if (failure.class === 'outage') return failure
  try {
    await canary()
    return failure
  } catch (outage) {
    return outage instanceof Failure ? outage : failure
  }
}

/** The reaction's run, for as long as it may take; null when it is done. */
async function within(
  reaction: Reaction,
  { envelope, attempt }: Delivery,
  { reaction: _, ...change }: AskedReaction,
  object: Run['object'],
  { log, stop }: RunnerOptions,
): Promise<Failure | null> {
  const abort = new AbortController()
  const { promise: ended, resolve } = endOf(abort.signal)
  const isOver = () => abort.abort()
  const timer = setTimeout(isOver, reaction.timeoutMs ?? RUN_MS)
  stop.addEventListener('abort', isOver, { once: true })
  const { signal } = abort
  const idempotencyKey = envelope.eventId
  const run: Run = { change, object, idempotencyKey, attempt, log: logOf(log, reaction, idempotencyKey), signal }
  try {
    const late = ended.then(() => new Failure('unknown', 'reaction_timeout', 'the run took longer than it may'))
    // A run that does not heed its signal goes on behind our back: it is tried again, and can do its work twice.
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

/** Messages of what a reaction throws may quote what it worked on: only what it says as a Failure is told. */
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
