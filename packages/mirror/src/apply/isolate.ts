import { Failure } from '@clerk-mirror/events'
import { throughContention } from '../database/contention.js'
import { classify, isLockWait } from '../database/failures.js'
import { LOCK_PATIENCE_MS } from '../limits.js'
import type { DecodedEvent } from './apply.js'
import type { HeldRows } from './held-rows.js'
import type { Outcome } from './ledger.js'

export type ApplyResult = { kind: 'decided'; outcome: Outcome } | { kind: 'failed'; failure: Failure }

/** How long a statement waits for a row: `short` where another transaction is known to hold one. */
export type LockWait = 'usual' | 'short'

/** One transaction for the whole batch, and a small committed write on a fresh connection. Both throw. */
export type Attempts = {
  apply: (batch: readonly DecodedEvent[], wait: LockWait) => Promise<Outcome[]>
  /** The rows of the batch that other transactions hold, as far as they can be seen. Never throws. */
  heldRows: (batch: readonly DecodedEvent[]) => Promise<HeldRows>
  canary: () => Promise<void>
  random: () => number
}

type Isolation = Attempts & {
  /** Whether no further statement is to wait for a row, because the batch has waited long enough. */
  isOutOfPatience: () => boolean
}

/**
 * Applies a batch so that one bad event costs only itself. A batch that fails is halved until the event at fault stands
 * alone; the others commit. Before the batch is blamed for a failure that does not name its cause, such as a lost
 * connection, the canary finds out whether the database works at all.
 *
 * @throws Failure of class `outage`: events without an outcome are undecided.
 */
export function applyIsolated(
  batch: readonly DecodedEvent[],
  attempts: Attempts,
  wait: LockWait = 'usual',
): Promise<ApplyResult[]> {
  let endsAtMs = Number.POSITIVE_INFINITY
  const heldRows = (events: readonly DecodedEvent[]) => {
    endsAtMs = Math.min(endsAtMs, performance.now() + LOCK_PATIENCE_MS)
    return attempts.heldRows(events)
  }
  return applyPart(batch, { ...attempts, heldRows, isOutOfPatience: () => performance.now() > endsAtMs }, wait)
}

async function applyPart(batch: readonly DecodedEvent[], attempts: Isolation, wait: LockWait): Promise<ApplyResult[]> {
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

async function applyAtOnce(
  batch: readonly DecodedEvent[],
  attempts: Isolation,
  wait: LockWait,
): Promise<ApplyResult[]> {
  // After a lock wait in vain, another try at once would only wait again.
  const outcomes = await throughContention(() => attempts.apply(batch, wait), attempts.random, isLockWait)
  return outcomes.map((outcome) => ({ kind: 'decided', outcome }))
}

/** The server has named its cause: another try of the same event, or of another row, would tell no more. */
const isOfOneRow = (failure: Failure) => failure.class === 'poison' || failure.class === 'blocked'

async function inHalves(
  batch: readonly DecodedEvent[],
  apply: (half: readonly DecodedEvent[]) => Promise<ApplyResult[]>,
): Promise<ApplyResult[]> {
  const half = Math.ceil(batch.length / 2)
  const left = await apply(batch.slice(0, half))
  return [...left, ...(await apply(batch.slice(half)))]
}

/**
 * Runs after a batch waited in vain for a row that another transaction holds, mostly one of the application. The events
 * of free rows commit at once. The others wait once more; those whose row is still held by then are blocked. Where the
 * row cannot be seen, because it is a gap or only a cascade reaches it, the batch is halved.
 */
async function applyAroundLocks(
  batch: readonly DecodedEvent[],
  failure: Failure,
  attempts: Isolation,
): Promise<ApplyResult[]> {
  const held = await attempts.heldRows(batch)
  const results = new Map<DecodedEvent, ApplyResult>()
  const free = batch.filter((event) => !held.holds(event))
  const waiting = batch.filter((event) => held.holds(event))
  if (free.length > 0) {
    const isUnseen = free.length === batch.length
    const apply = isUnseen ? narrowDown(free, failure, attempts) : applyPart(free, attempts, 'short')
    keepResults(results, free, await apply)
  }
  if (waiting.length > 0) keepResults(results, waiting, await waitOnceMore(waiting, held, attempts))
  return batch.map((event) => results.get(event) ?? failed(failure))
}

const keepResults = (
  results: Map<DecodedEvent, ApplyResult>,
  batch: readonly DecodedEvent[],
  applied: readonly ApplyResult[],
): void =>
  applied.forEach((each, index) => {
    const event = batch[index]
    if (event) results.set(event, each)
  })

async function waitOnceMore(
  waiting: readonly DecodedEvent[],
  held: HeldRows,
  attempts: Isolation,
): Promise<ApplyResult[]> {
  try {
    return await applyAtOnce(waiting, attempts, 'short')
  } catch (error) {
    const failure = classify(error)
    if (!isLockWait(failure)) return applyPart(waiting, attempts, 'short')
    const heldStill = held.and(await attempts.heldRows(waiting))
    const released = waiting.filter((event) => !heldStill.holds(event))
    const applied =
      released.length === waiting.length
        ? await narrowDown(released, failure, attempts)
        : released.length > 0
          ? await applyPart(released, attempts, 'short')
          : []
    const results = new Map<DecodedEvent, ApplyResult>()
    keepResults(results, released, applied)
    return waiting.map((event) => results.get(event) ?? failed(failure))
  }
}

/** Finds out by trying which events can be applied, until the batch has waited long enough. */
async function narrowDown(
  batch: readonly DecodedEvent[],
  failure: Failure,
  attempts: Isolation,
): Promise<ApplyResult[]> {
  if (batch.length === 1 || attempts.isOutOfPatience()) return batch.map(() => failed(failure))
  return inHalves(batch, (half) =>
    attempts.isOutOfPatience() ? Promise.resolve(half.map(() => failed(failure))) : applyPart(half, attempts, 'short'),
  )
}

/**
 * Retries an event that failed alone for no visible fault of its own. The connection may have been lost to an outage
 * that is over by now: only a second failure, with a working database, costs the event a try.
 */
async function applyOnceMore(lone: readonly DecodedEvent[], attempts: Isolation): Promise<ApplyResult> {
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

/** Contention that outlasts its tries is no longer another transaction passing by. */
function failed(failure: Failure): ApplyResult {
  if (failure.class !== 'contention') return { kind: 'failed', failure }
  const failureClass = isLockWait(failure) ? 'blocked' : 'unknown'
  return { kind: 'failed', failure: new Failure(failureClass, failure.code, failure.message, failure) }
}
