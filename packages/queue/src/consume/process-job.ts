import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import { DelayedError, type Job, WaitingError } from 'bullmq'
import type { Heartbeat } from '../heartbeats/worker-heartbeat.js'
import type { EnvelopeKeys } from '../job/encryption-keys.js'
import { readReason, reasonLine } from '../job/failure-reason.js'
import { envelopeOf, type StoredEnvelope, traceOf, undecryptedFailure } from '../job/queue-job.js'
import { BLOCKED_RETRY_MS, LEASE_MS } from '../limits.js'
import { BLOCKED } from '../lua/gauge-scripts.js'
import type { LeaseScripts } from '../lua/lease-scripts.js'
import type { Partition } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'
import type { ConsumerProfile } from './consumer-profile.js'
import type { BatchDispatcher, CrashRecord, Delivery, Disposition } from './dispatcher.js'
import { deadLetter, type RetryObserver, retryOrDeadLetter } from './retry.js'

/** The results of events that are not done; for logs and metrics. None may throw. */
export type EventObserver = RetryObserver & {
  /** The event waits alone and is tried until it is not blocked any more; called at each try. */
  blocked: (delivery: Delivery, failure: Failure) => void
}

/** The parts of a consumer that the jobs of all partitions share. */
export type JobContext = {
  client: RedisClient & LeaseScripts
  dispatcher: BatchDispatcher
  profile: ConsumerProfile
  observer: EventObserver
  keys: EnvelopeKeys
  heartbeat: Heartbeat
  /** Aborts when the process is to stop. */
  stop: AbortSignal
  /** The events that this process works on, by the keys of their jobs. */
  inProgress: Map<string, InProgress>
}

/** `token`: of the lease that holds; `startsBefore`: how often the event was started before this process did. */
type InProgress = { token: string | undefined; startsBefore: number; disposition: Promise<Disposition> }

/**
 * BullMQ's processor: works on one event and reports the result to the queue, if the event is still leased to this worker.
 *
 * A process that lost a lease may be given the same event once more. It does not run it twice: the newer job waits for
 * the run in progress and reports its result with the lease that holds, and the older one ends silently.
 */
export async function processJob(
  job: Job,
  token: string | undefined,
  partition: Partition,
  context: JobContext,
): Promise<void> {
  const { observer, keys, inProgress } = context
  const id = job.id ?? ''
  const stored = envelopeOf(id, job.name, job.timestamp, job.data, keys)
  if (!stored) throw unreadable(job, observer)
  const delivery = deliveryOf(job, stored)
  const jobKey = partition.key(id)
  const own = inProgress.get(jobKey) ?? {
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
  // The job with the lease reports. BullMQ leaves an event alone whose job ends with this error.
  if (own.token !== token) throw new WaitingError()
  if (disposition.kind !== 'done') await report(job, token ?? '', { ...own, disposition, delivery }, partition, context)
}

function deliveryOf(job: Job, stored: StoredEnvelope): Delivery {
  const trace = traceOf(job.data)
  const attempt = job.attemptsMade + 1
  // BullMQ counts starts and finishes apart; every start but this one should have finished.
  const isStalled = job.attemptsStarted > attempt
  const blockedBy = blockedReasonOf(job)
  return {
    envelope: { ...stored, body: typeof stored.body === 'string' ? stored.body : '' },
    attempt,
    ...(isStalled && { isStalled }),
    ...(trace !== undefined && { trace }),
    ...(blockedBy && { blockedBy }),
  }
}

async function dispositionOf(delivery: Delivery, jobKey: string, context: JobContext): Promise<Disposition> {
  if (!delivery.isStalled) return context.dispatcher.push(delivery)
  const record = crashRecordOf(jobKey, context)
  if (!(await letOthersGoFirst(jobKey, context))) return { kind: 'released' }
  return context.dispatcher.push(delivery, record)
}

type Result = { delivery: Delivery; startsBefore: number; disposition: Exclude<Disposition, { kind: 'done' }> }

/** Reports an event that is not done to the queue. Always throws, for BullMQ reads the result from the error's type. */
async function report(
  job: Job,
  token: string,
  { delivery, startsBefore, disposition }: Result,
  { key }: Partition,
  { client, observer, profile }: JobContext,
): Promise<never> {
  const id = job.id ?? ''
  if (disposition.kind === 'released') {
    // It was started and not worked on: if this start counted, the next worker would quarantine it as stalled.
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
  // A dead letter of class `killer` keeps the record of the crashed workers, by which it differs from one that was
  // condemned by mistake.
  const clearsRecord = failure.class === 'killer' ? 0 : 1
  if (!(await client.clerkStarts(key(id), token, delivery.attempt, clearsRecord))) throw new WaitingError()
  throw retryOrDeadLetter(delivery, disposition, observer, profile)
}

function blockedReasonOf({ failedReason }: Job): Failure | undefined {
  if (!failedReason?.startsWith('blocked/')) return undefined
  const { code, message } = readReason(failedReason)
  return new Failure('blocked', code, message)
}

/**
 * The crash count of a stalled job. A worker enters its id into the job that it is about to run alone, and removes it when
 * the run is over. A worker that is still entered and alive has a run in progress, or lost its lease to a slow machine;
 * one that is dead, or silent for so long that it counts as dead, died with the run. So only a worker's death counts
 * against an event, however often leases are lost, and no other process has to witness it to count it.
 */
function crashRecordOf(jobKey: string, { client, heartbeat }: JobContext): CrashRecord {
  return {
    async crashes() {
      const others = await enteredBefore(jobKey, { client, heartbeat })
      return others.length === 0 ? 0 : others.length - (await heartbeat.alive(others)).length
    },
    begin: () => client.clerkAlone(jobKey, heartbeat.id, 1),
    end: () => void client.clerkAlone(jobKey, heartbeat.id, 0).catch(() => {}),
  }
}

async function enteredBefore(
  jobKey: string,
  { client, heartbeat }: Pick<JobContext, 'client' | 'heartbeat'>,
): Promise<string[]> {
  const entered = (await client.hget(jobKey, 'struckBy')) ?? ''
  return entered.split(' ').filter((id) => id !== '' && id !== heartbeat.id)
}

/**
 * A stalled job that was run alone before is the likeliest of all to crash this worker. It waits until every event that
 * was in flight beside it last time is queued before it, and so costs none of them another crash. False: the process is
 * to stop.
 */
async function letOthersGoFirst(jobKey: string, context: JobContext): Promise<boolean> {
  if ((await enteredBefore(jobKey, context)).length === 0) return true
  return pause(LEASE_MS, true, { signal: context.stop }).catch(() => false)
}

function unreadable({ id = '', name, timestamp, attemptsMade }: Job, observer: EventObserver): Error {
  const failure = new Failure('poison', 'unreadable_job', 'the job holds no envelope')
  const nothing = { objectId: null, instanceId: null, source: 'clerk' as const, body: '' }
  const envelope = { eventId: id, type: String(name), receivedAtMs: timestamp, ...nothing }
  return deadLetter({ envelope, attempt: attemptsMade + 1 }, failure, observer)
}
