import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@clerk-mirror/events'
import type { Arrival } from './apply.js'
import { classify } from './failures.js'
import type { Outcome } from './ledger.js'
import { CONTENTION_PAUSE_MS, CONTENTION_TRIES } from './policy.js'

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
    const outcomes = await applyThroughContention(batch, attempts)
    return outcomes.map((outcome) => ({ kind: 'decided', outcome }))
  } catch (error) {
    const failure = classify(error)
    if (failure.class === 'outage') throw failure
    if (failure.class !== 'poison') await attempts.canary()
    if (batch.length === 1) return [{ kind: 'failed', failure: judged(failure) }]
    const half = Math.ceil(batch.length / 2)
    const left = await applyIsolated(batch.slice(0, half), attempts)
    return [...left, ...(await applyIsolated(batch.slice(half), attempts))]
  }
}

async function applyThroughContention(batch: readonly Arrival[], attempts: Attempts): Promise<Outcome[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attempts.apply(batch)
    } catch (error) {
      const failure = classify(error)
      if (failure.class !== 'contention' || attempt === CONTENTION_TRIES) throw failure
      await pause(attempts.random() * CONTENTION_PAUSE_MS * 2 ** attempt)
    }
  }
}

/** Contention that outlasts its tries is no longer somebody else's transaction passing by. */
const judged = (failure: Failure): Failure =>
  failure.class === 'contention' ? new Failure('unknown', failure.code, failure.message, failure) : failure
