import { Failure } from '@clerk-mirror/events'
import type { Arrival } from './apply.js'
import { throughContention } from './contention.js'
import { classify } from './failures.js'
import type { Outcome } from './ledger.js'

export type Applied = { kind: 'decided'; outcome: Outcome } | { kind: 'failed'; failure: Failure }

/** One transaction for the whole batch, and a small committed write on a fresh connection. Both throw. */
export type Attempts = {
  apply: (batch: readonly Arrival[]) => Promise<Outcome[]>
  canary: () => Promise<void>
  random: () => number
}

/**
 * Applies a batch so that one bad event costs only itself. A batch that fails is halved until the event at fault stands
 * alone; the others commit. Before the batch is blamed for a failure that says nothing of its cause, such as a lost
 * connection, the canary tells whether the database works at all.
 *
 * @throws Failure of class `outage`: nothing more can be said of any event that has no outcome yet.
 */
export async function applyIsolated(batch: readonly Arrival[], attempts: Attempts): Promise<Applied[]> {
  try {
    const outcomes = await throughContention(() => attempts.apply(batch), attempts.random)
    return outcomes.map((outcome) => ({ kind: 'decided', outcome }))
  } catch (error) {
    const failure = classify(error)
    if (failure.class === 'outage') throw failure
    if (batch.length === 1) return [failure.class === 'poison' ? failed(failure) : await applyOnceMore(batch, attempts)]
    if (failure.class !== 'poison') await attempts.canary()
    const half = Math.ceil(batch.length / 2)
    const left = await applyIsolated(batch.slice(0, half), attempts)
    return [...left, ...(await applyIsolated(batch.slice(half), attempts))]
  }
}

/**
 * An event that failed alone, and not by its own fault as far as anybody can tell. The connection may have been lost to
 * an outage that is over by now: only a second failure, with the database at work, costs the event a try.
 */
async function applyOnceMore(lone: readonly Arrival[], attempts: Attempts): Promise<Applied> {
  await attempts.canary()
  try {
    const [outcome = 'duplicate'] = await throughContention(() => attempts.apply(lone), attempts.random)
    return { kind: 'decided', outcome }
  } catch (error) {
    const failure = classify(error)
    if (failure.class === 'outage') throw failure
    if (failure.class !== 'poison') await attempts.canary()
    return failed(failure)
  }
}

/** Contention that outlasts its tries is no longer somebody else's transaction passing by. */
const failed = (failure: Failure): Applied => ({
  kind: 'failed',
  failure: failure.class === 'contention' ? new Failure('unknown', failure.code, failure.message, failure) : failure,
})
