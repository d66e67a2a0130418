import type { LettersByClass, QueueDepth, QueueView, WorkerPresence } from '@clerk-mirror/queue'
import type { Ledger } from './ledger.js'

export type Status = {
  /** Events by state: waiting, active, retrying, dead. */
  queue: QueueDepth
  /** Seconds since the oldest event that waits or runs was queued, replayed or due for its retry; 0 without one. */
  oldestAgeS: number
  /** Closed when it is in all workers that are alive; null when none is. */
  breaker: WorkerPresence['breaker'] | null
  workers: WorkerPresence[]
  deadLettersByClass: LettersByClass
  /** From the ledger; null without a database, or while it does not answer. */
  outcomesLastHour: Readonly<Record<string, number>> | null
}

const HOUR_MS = 3_600_000

export async function readStatus(queue: QueueView, ledger: Ledger, nowMs: number): Promise<Status> {
  const [{ events, oldestMs }, workers, deadLettersByClass, outcomesLastHour] = await Promise.all([
    queue.depth(),
    queue.workers(),
    queue.deadByClass(),
    ledger.glance((mirror) => mirror.outcomesSince(nowMs - HOUR_MS)).catch(() => null),
  ])
  const oldestAgeS = oldestMs / 1000
  return { queue: events, oldestAgeS, breaker: worst(workers), workers, deadLettersByClass, outcomesLastHour }
}

const worst = (workers: readonly WorkerPresence[]): Status['breaker'] =>
  (['open', 'half-open', 'closed'] as const).find((state) => workers.some(({ breaker }) => breaker === state)) ?? null
