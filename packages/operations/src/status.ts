import {
  type BlockedByCode,
  type DeadLettersByClass,
  type Disagreement,
  disagreementsOf,
  type ProducerPresence,
  type QueueDepth,
  type QueueView,
  type WorkerPresence,
} from '@clerk-mirror/queue/operate'

import type { Ledger } from './ledger.js'
import type { ReactionDesk, ReactionStatus } from './reaction-desk.js'

export type Status = {
  /** Events by state: waiting, active, retrying, dead. */
  queue: QueueDepth
  /** Seconds since the oldest event that waits or runs was queued, replayed or due for its retry; 0 without one. */
  oldestAgeS: number
  /** Closed when it is in all workers that are alive; null when none is. */
  breaker: WorkerPresence['breaker'] | null
  workers: WorkerPresence[]
  /** Ingest processes that spread events over the partitions of a namespace. */
  ingest: ProducerPresence[]
  /** The settings in which living processes differ and should agree. */
  disagreements: Disagreement[]
  deadLettersByClass: DeadLettersByClass
  /** Events that a constraint or a lock of the application stops, by error code. */
  blockedByCode: BlockedByCode
  /** From the ledger; null without a database, or while it does not answer. */
  outcomesLastHour: Readonly<Record<string, number>> | null
  /** Objects with a version more than a day ahead; null without a database, or while it does not answer. */
  futureVersions: number | null
  /** Of each reaction that any worker has ever had, its runs in their queue. */
  reactions: ReactionStatus[]
}

const HOUR_MS = 3_600_000

export async function readStatus(
  queue: QueueView,
  reactions: ReactionDesk,
  ledger: Ledger,
  nowMs: number,
): Promise<Status> {
  const [{ events, oldestMs }, living, deadLettersByClass, blockedByCode, outcomesLastHour, futureVersions, runs] =
    await Promise.all([
      queue.depth(),
      queue.living(),
      queue.deadByClass(),
      queue.blockedByCode(),
      ledger.glance((mirror) => mirror.outcomesSince(nowMs - HOUR_MS)).catch(() => null),
      ledger.glance((mirror) => mirror.countFutureObjects()).catch(() => null),
      reactions.status(),
    ])
  const oldestAgeS = oldestMs / 1000
  const workers = [...living.workers]
  const deadLetters = { deadLettersByClass, blockedByCode }
  return {
    ...{ queue: events, oldestAgeS, breaker: worst(workers), workers, ingest: [...living.ingests] },
    ...{ disagreements: disagreementsOf(living), ...deadLetters, outcomesLastHour, futureVersions, reactions: runs },
  }
}

const worst = (workers: readonly WorkerPresence[]): Status['breaker'] =>
  (['open', 'half-open', 'closed'] as const).find((state) => workers.some(({ breaker }) => breaker === state)) ?? null
