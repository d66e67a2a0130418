import type { Failure } from '@clerk-mirror/events'
import { UnrecoverableError } from 'bullmq'
import { framesOf, reasonLine } from '../job/failure-reason.js'
import { RETRY_JITTER } from '../limits.js'
import type { LeaseScripts } from '../lua/lease-scripts.js'
import type { Partition } from '../partitions.js'
import { type ConsumerProfile, EVENT_CONSUMER_PROFILE } from './consumer-profile.js'
import type { Delivery, Disposition } from './dispatcher.js'

/*
 * Another try, or a dead letter. The delays, their running sums and their reasons are the table of job/retry-schedule.ts.
 * Failures of the classes outage and blocked never come here: they use no try.
 */

export type RetryObserver = {
  retrying: (delivery: Delivery, failure: Failure) => void
  deadLettered: (delivery: Delivery, failure: Failure) => void
}

/** The delay of the table, with jitter. */
export function retryDelay(attemptsMade: number, random: () => number, profile = EVENT_CONSUMER_PROFILE): number {
  const { retries } = profile
  const { delayMs = 0 } = retries[Math.min(attemptsMade, retries.length) - 1] ?? {}
  // BullMQ takes 0 for "at once", past the set of delayed jobs.
  return Math.max(1, Math.round(delayMs * (1 - RETRY_JITTER + 2 * RETRY_JITTER * random())))
}

type StrategyContext = { client: LeaseScripts; profile: ConsumerProfile; random: () => number }

/** BullMQ's `backoffStrategy` for the jobs of a partition. */
export const retryDelayStrategy =
  ({ key }: Partition, { client, profile, random }: StrategyContext) =>
  async (attemptsMade: number, _type?: string, error?: Error, job?: { id?: string | undefined }): Promise<number> => {
    const leastMs = error instanceof RetryLater ? error.notBeforeMs : 0
    const delayMs = Math.max(retryDelay(attemptsMade, random, profile), leastMs)
    // Only for the age gauge: a delayed event must not look as if it had waited in vain all the while.
    await client.clerkRetries(key(job?.id ?? ''), delayMs).catch(() => {})
    return delayMs
  }

/** Decides between another try and a dead letter, and returns the error by which BullMQ learns of it. */
export function retryOrDeadLetter(
  delivery: Delivery,
  { failure, notBeforeMs = 0 }: Disposition & { kind: 'failed' },
  observer: RetryObserver,
  { retries }: ConsumerProfile,
): Error {
  const isLast = delivery.attempt > retries.length
  if (failure.class !== 'poison' && failure.class !== 'killer' && !isLast) {
    observer.retrying(delivery, failure)
    return withFrames(new RetryLater(reasonLine(failure), notBeforeMs), failure)
  }
  return deadLetter(delivery, failure, observer)
}

export function deadLetter(delivery: Delivery, failure: Failure, observer: RetryObserver): Error {
  observer.deadLettered(delivery, failure)
  return withFrames(new UnrecoverableError(reasonLine(failure)), failure)
}

/** BullMQ stores message and stack, and reads from the error's type whether to try again. */
function withFrames(error: Error, failure: Failure): Error {
  error.stack = framesOf(failure)
  return error
}

/** Another try, after this many milliseconds at least. */
class RetryLater extends Error {
  readonly notBeforeMs: number

  constructor(message: string, notBeforeMs: number) {
    super(message)
    this.notBeforeMs = notBeforeMs
  }
}
