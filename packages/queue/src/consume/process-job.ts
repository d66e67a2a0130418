import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq'
import type { Presence } from '../heartbeats/worker-heartbeat.js'
import type { EnvelopeKeys } from '../job/encryption-keys.js'
import { framesOf, readReason, reasonLine } from '../job/failure-reason.js'
import { envelopeOf, traceOf, undecryptedFailure } from '../job/queue-job.js'
import { BLOCKED_RETRY_MS, LEASE_MS } from '../limits.js'
import { BLOCKED } from '../lua/gauge-scripts.js'
import type { LeaseScripts } from '../lua/lease-scripts.js'
import type { Partition } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'
import type { Pace } from './consumer-profile.js'
import type { CrashRecord, Delivery, Disposition, Line } from './dispatcher.js'

/** What happens to events besides being handled; for logs and metrics. None may throw. */
export type EventObserver = {
  retrying: (delivery: Delivery, failure: Failure) => void
  deadLettered: (delivery: Delivery, failure: Failure) => void
  /** It waits alone and is tried again, as often as it takes; told at each try. */
  blocked: (delivery: Delivery, failure: Failure) => void
}

/** What jobs of all partitions share. */
export type JobContext = {
  client: RedisClient & LeaseScripts
  line: Line
  pace: Pace
  observer: EventObserver
  keys: EnvelopeKeys
  presence: Presence
  /** Aborts when the process is to stop. */
  stop: AbortSignal
  /** The events that this process works on, by the keys of their jobs. */
  inProgress: Map<string, InProgress>
}

/** `token`: of the lease that holds; `startsBefore`: how often the event was started before this process did. */
type InProgress = { token: string | undefined; startsBefore: number; disposition: Promise<Disposition> }

/**
 * Works on one event and tells the queue what became of it, if the event is still this worker's: BullMQ's processor.
 *
 * A process that lost a lease may be given the same event once more. It does not run it twice: the newer job waits for
 * the run that is under way and has the lease that its result is told with, and the older one ends without a word.
 */
export async function handleJob(
  job: Job,
  token: string | undefined,
  partition: Partition,
  context: JobContext,
): Promise<void> {
  const { observer, keys, inProgress } = context
  const id = job.id ?? ''
  const stored = envelopeOf(id, job.name, job.timestamp, job.data, keys)
  if (!stored) throw unreadable(job, observer)
  const isOpen = typeof stored.body === 'string'
  const trace = traceOf(job.data)
  const attempt = job.attemptsMade + 1
  // BullMQ counts starts and finishes apart; every start but this one should have finished.
  const isSuspect = job.attemptsStarted > attempt
  const blockedBy = blockedReasonOf(job)
  const delivery: Delivery = {
    envelope: { ...stored, body: isOpen ? (stored.body as string) : '' },
    attempt,
    ...(isSuspect && { isSuspect }),
    ...(trace !== undefined && { trace }),
    ...(blockedBy && { blockedBy }),
  }
  const jobKey = partition.key(id)
  const running = inProgress.get(jobKey)
  const own = running ?? {
    token,
    startsBefore: job.attemptsStarted - 1,
    disposition:
      typeof stored.body === 'string'
        ? dispositionOf(delivery, jobKey, context)
        : Promise.resolve<Disposition>({ kind: 'failed', failure: undecryptedFailure(stored.body) }),
  }
  own.token = token
  inProgress.set(jobKey, own)
  const disposition = await own.disposition
  if (inProgress.get(jobKey) === own) inProgress.delete(jobKey)
  // The job that has the lease tells the queue. BullMQ leaves an event alone whose job ends so.
  if (own.token !== token) throw new WaitingError()
  if (disposition.kind !== 'done') await tell(job, token ?? '', { ...own, disposition, delivery }, partition, context)
}

async function dispositionOf(delivery: Delivery, jobKey: string, context: JobContext): Promise<Disposition> {
  if (!delivery.isSuspect) return context.line.push(delivery)
  const record = crashRecordOf(jobKey, context)
  if (!(await othersWentFirst(jobKey, context))) return { kind: 'handed-back' }
  return context.line.push(delivery, record)
}

type Told = { delivery: Delivery; startsBefore: number; disposition: Exclude<Disposition, { kind: 'done' }> }

/** Tells the queue of an event that was not done. Always throws, which is how BullMQ wants to be told. */
async function tell(
  job: Job,
  token: string,
  { delivery, startsBefore, disposition }: Told,
  { key }: Partition,
  { client, observer, pace }: JobContext,
): Promise<never> {
  const id = job.id ?? ''
  if (disposition.kind === 'handed-back') {
    // It was started but not worked on: a start that counted would make the next worker suspect it.
    const isOurs = await client.clerkStarts(key(id), token, startsBefore, 0)
    if (isOurs) await job.moveToWait(token)
    throw new WaitingError()
  }
  const { failure } = disposition
  if (failure.class === 'blocked') {
    const reason = [id, reasonLine(failure), failure.code] as const
    const isOurs = await client.clerkBlock(key(id), key(BLOCKED), token, ...reason, BLOCKED_RETRY_MS)
    if (isOurs) {
      observer.blocked(delivery, failure)
      await job.moveToDelayed(Date.now() + BLOCKED_RETRY_MS, token)
    }
    throw new DelayedError()
  }
  // A killer's dead letter keeps the record of the workers that died, which tells it from one that was condemned by
  // mistake.
  const clearsSuspicion = failure.class === 'killer' ? 0 : 1
  if (!(await client.clerkStarts(key(id), token, delivery.attempt, clearsSuspicion))) throw new WaitingError()
  throw judge(delivery, disposition, observer, pace)
}

function blockedReasonOf({ failedReason }: Job): Failure | undefined {
  if (!failedReason?.startsWith('blocked/')) return undefined
  const { code, message } = readReason(failedReason)
  return new Failure('blocked', code, message)
}

/**
 * A worker enters itself into the job that it is about to run alone, and takes itself out when the run is over. One
 * that is still entered and alive has a run under way, or lost its lease to a slow machine; one that is dead, or has
 * been silent for so long that it counts as dead, went with the run. So nothing but a death counts against an event,
 * however often leases are lost, and nobody need be there at the moment of it to count.
 */
function crashRecordOf(jobKey: string, { client, presence }: JobContext): CrashRecord {
  return {
    async crashes() {
      const others = await enteredBefore(jobKey, { client, presence })
      return others.length === 0 ? 0 : others.length - (await presence.alive(others)).length
    },
    begin: () => client.clerkAlone(jobKey, presence.id, 1),
    end: () => void client.clerkAlone(jobKey, presence.id, 0).catch(() => {}),
  }
}

async function enteredBefore(
  jobKey: string,
  { client, presence }: Pick<JobContext, 'client' | 'presence'>,
): Promise<string[]> {
  const entered = (await client.hget(jobKey, 'struckBy')) ?? ''
  return entered.split(' ').filter((id) => id !== '' && id !== presence.id)
}

/**
 * A suspect that was run alone before is the likeliest of all to end this worker. It waits until every event that died
 * with it last time has a place in the line before it, and so costs none of them another death. False: the process is
 * to stop.
 */
async function othersWentFirst(jobKey: string, context: JobContext): Promise<boolean> {
  if ((await enteredBefore(jobKey, context)).length === 0) return true
  return pause(LEASE_MS, true, { signal: context.stop }).catch(() => false)
}

function unreadable({ id = '', name, timestamp, attemptsMade }: Job, observer: EventObserver): Error {
  const failure = new Failure('poison', 'unreadable_job', 'the job holds no envelope')
  const nothing = { objectId: null, instanceId: null, source: 'clerk' as const, body: '' }
  const envelope = { eventId: id, type: String(name), receivedAtMs: timestamp, ...nothing }
  observer.deadLettered({ envelope, attempt: attemptsMade + 1 }, failure)
  return failedJob(failure, true)
}

/** Another try, or a dead letter. */
function judge(
  delivery: Delivery,
  { failure, notBeforeMs = 0 }: Disposition & { kind: 'failed' },
  observer: EventObserver,
  { retryDelaysMs }: Pace,
): Error {
  const isLast = delivery.attempt > retryDelaysMs.length
  const isDead = failure.class === 'poison' || failure.class === 'killer' || isLast
  if (isDead) observer.deadLettered(delivery, failure)
  else observer.retrying(delivery, failure)
  return failedJob(failure, isDead, notBeforeMs)
}

/** BullMQ keeps message and stack, and reads from the error's type whether to try again. */
function failedJob(failure: Failure, isDead: boolean, notBeforeMs = 0): Error {
  const error = isDead ? new UnrecoverableError(reasonLine(failure)) : new Later(reasonLine(failure), notBeforeMs)
  error.stack = framesOf(failure)
  return error
}

/** To be tried again, and no sooner than in so many ms. */
export class Later extends Error {
  readonly notBeforeMs: number

  constructor(message: string, notBeforeMs: number) {
    super(message)
    this.notBeforeMs = notBeforeMs
  }
}
