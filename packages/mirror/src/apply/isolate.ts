import { Failure } from '@clerk-mirror/events'
import { throughContention } from '../database/contention.js'
import { classify, isLockWait } from '../database/failures.js'
import type { HeldRows } from '../database/held-rows.js'
import { LOCK_PATIENCE_MS } from '../limits.js'
import type { Arrival } from './apply.js'
import type { Outcome } from './ledger.js'

export type Applied = { kind: 'decided'; outcome: Outcome } | { kind: 'failed'; failure: Failure }

/** How long a statement waits for a row: `short` where it is known that somebody holds one. */
export type LockWait = 'usual' | 'short'

/** One transaction for the whole batch, and a small committed write on a fresh connection. Both throw. */
export type Attempts = {
  apply: (batch: readonly Arrival[], wait: LockWait) => Promise<Outcome[]>
  /**
   * Those of the rows that the batch writes which other transactions hold, as far as they can be seen. Never throws.
   */
  heldRows: (batch: readonly Arrival[]) => Promise<HeldRows>
  canary: () => Promise<void>
  random: () => number
}

type Isolation = Attempts & {
  /** Whether nothing more is to wait for a row, because the batch has waited long enough. */
  isOutOfPatience: () => boolean
}

/**
 * Applies a batch so that one bad event costs only itself. A batch that fails is halved until the event at fault stands
 * alone; the others commit. Before the batch is blamed for a failure that says nothing of its cause, such as a lost
 * connection, the canary tells whether the database works at all.
 *
 * @throws Failure of class `outage`: nothing more can be said of any event that has no outcome yet.
 */
export function applyIsolated(
  batch: readonly Arrival[],
  attempts: Attempts,
  wait: LockWait = 'usual',
): Promise<Applied[]> {
  let endsAtMs = Number.POSITIVE_INFINITY
  const heldRows = (events: readonly Arrival[]) => {
    endsAtMs = Math.min(endsAtMs, performance.now() + LOCK_PATIENCE_MS)
    return attempts.heldRows(events)
  }
  return applyPart(batch, { ...attempts, heldRows, isOutOfPatience: () => performance.now() > endsAtMs }, wait)
}

async function applyPart(batch: readonly Arrival[], attempts: Isolation, wait: LockWait): Promise<Applied[]> {
  try {
    return await applyAtOnce(batch, attempts, wait)
  } catch (error) {
    const failure = classify(error)
    if (failure.class === 'outage') throw failure
    if (isLockWait(failure)) return applyAroundLocks(batch, failure, attempts)
    if (batch.length === 1) return [isOfOneRow(failure) ? failed(failure) : await applyOnceMore(batch, attempts)]
    if (!isOfOneRow(failure)) await attempts.canary()
    return inHalves(batch, (half) => applyPart(half, attempts, wait))
  }
}

async function applyAtOnce(batch: readonly Arrival[], attempts: Isolation, wait: LockWait): Promise<Applied[]> {
  // Whoever waited in vain for a row knows more than that another transaction passed by.
  const outcomes = await throughContention(() => attempts.apply(batch, wait), attempts.random, isLockWait)
  return outcomes.map((outcome) => ({ kind: 'decided', outcome }))
}

/** The server has named its cause: another try of the same event, or another row, would tell no more. */
const isOfOneRow = (failure: Failure) => failure.class === 'poison' || failure.class === 'blocked'

async function inHalves(
  batch: readonly Arrival[],
  apply: (half: readonly Arrival[]) => Promise<Applied[]>,
): Promise<Applied[]> {
  const half = Math.ceil(batch.length / 2)
  const left = await apply(batch.slice(0, half))
  return [...left, ...(await apply(batch.slice(half)))]
}

/**
 * After a batch waited in vain for a row that another transaction holds, mostly one of the application. The events of
 * rows that are free commit at once. The others wait once more; those whose row is held still by then are blocked.
 * Where the row cannot be seen, a gap or a row that only a cascade reaches, the batch is halved.
 */
async function applyAroundLocks(batch: readonly Arrival[], failure: Failure, attempts: Isolation): Promise<Applied[]> {
  const held = await attempts.heldRows(batch)
  const results = new Map<Arrival, Applied>()
  const free = batch.filter((arrival) => !held.holds(arrival))
  const waiting = batch.filter((arrival) => held.holds(arrival))
  if (free.length > 0) {
    const isUnseen = free.length === batch.length
    const apply = isUnseen ? narrowDown(free, failure, attempts) : applyPart(free, attempts, 'short')
    note(results, free, await apply)
  }
  if (waiting.length > 0) note(results, waiting, await waitOnceMore(waiting, held, attempts))
  return batch.map((arrival) => results.get(arrival) ?? failed(failure))
}

const note = (results: Map<Arrival, Applied>, batch: readonly Arrival[], applied: readonly Applied[]): void =>
  applied.forEach((each, index) => {
    const arrival = batch[index]
    if (arrival) results.set(arrival, each)
  })

async function waitOnceMore(waiting: readonly Arrival[], held: HeldRows, attempts: Isolation): Promise<Applied[]> {
  try {
    return await applyAtOnce(waiting, attempts, 'short')
  } catch (error) {
    const failure = classify(error)
    if (!isLockWait(failure)) return applyPart(waiting, attempts, 'short')
    const heldStill = held.and(await attempts.heldRows(waiting))
    const released = waiting.filter((arrival) => !heldStill.holds(arrival))
    const applied =
      released.length === waiting.length
        ? await narrowDown(released, failure, attempts)
        : released.length > 0
          ? await applyPart(released, attempts, 'short')
          : []
    const results = new Map<Arrival, Applied>()
    note(results, released, applied)
    return waiting.map((arrival) => results.get(arrival) ?? failed(failure))
  }
}

/** Whether any of them can go on is found out by trying, for as long as there is patience. */
async function narrowDown(batch: readonly Arrival[], failure: Failure, attempts: Isolation): Promise<Applied[]> {
  if (batch.length === 1 || attempts.isOutOfPatience()) return batch.map(() => failed(failure))
  return inHalves(batch, (half) =>
    attempts.isOutOfPatience() ? Promise.resolve(half.map(() => failed(failure))) : applyPart(half, attempts, 'short'),
  )
}

/**
 * An event that failed alone, and not by its own fault as far as anybody can tell. The connection may have been lost to
 * an outage that is over by now: only a second failure, with the database at work, costs the event a try.
 */
async function applyOnceMore(lone: readonly Arrival[], attempts: Isolation): Promise<Applied> {
  await attempts.canary()
  try {
    const [applied] = await applyAtOnce(lone, attempts, 'short')
    return applied ?? { kind: 'decided', outcome: 'duplicate' }
  } catch (error) {
    const failure = classify(error)
    if (failure.class === 'outage') throw failure
    if (!isOfOneRow(failure)) await attempts.canary()
    return failed(failure)
  }
}

/** Contention that outlasts its tries is no longer somebody else's transaction passing by. */
function failed(failure: Failure): Applied {
  if (failure.class !== 'contention') return { kind: 'failed', failure }
  const failureClass = isLockWait(failure) ? 'blocked' : 'unknown'
  return { kind: 'failed', failure: new Failure(failureClass, failure.code, failure.message, failure) }
}
