import { Failure } from '@clerk-mirror/events'
import { applyBatch, type DecodedEvent } from './apply/apply.js'
import { canary } from './apply/canary.js'
import type { FutureVersion } from './apply/future-versions.js'
import { BlockedObjects, findHeldRows } from './apply/held-rows.js'
import { type ApplyResult, applyIsolated, type LockWait } from './apply/isolate.js'
import type { Reactions } from './apply/outbox.js'
import { type ReactionReads, reactionReads } from './apply/reaction-reads.js'
import { exceedsPacket, splitBatch } from './apply/split-batch.js'
import { onFreshConnection, openPrisma } from './database/connection.js'
import { LOCK_WAIT_TIMEOUT_S, SHORT_LOCK_WAIT_TIMEOUT_S } from './database/connection-limits.js'
import type { DatabaseOptions } from './database/database-url.js'
import { isLockWait, packetTooLarge } from './database/failures.js'
import type { PacketLimit } from './database/packet-limit.js'
import { inTransaction, type Transaction } from './database/transaction.js'
import { FOREIGN_CONSTRAINTS_KEPT_MS, TRANSACTION_MS, TRANSACTION_WAIT_MS } from './limits.js'
import { type ForeignConstraint, foreignConstraints } from './operate/foreign-constraints.js'
import { noteFutureVersions } from './operate/future-versions.js'
import { type DatabaseInstallation, databaseInstallation } from './operate/installation.js'
import { type OperatorVerbs, operatorVerbs } from './operate/operator-verbs.js'
import { type MirrorReads, mirrorReads } from './operate/reads.js'

export type Mirror = AsyncDisposable &
  OperatorVerbs &
  MirrorReads &
  ReactionReads & {
    /**
     * Applies a batch in one transaction, or in several where the server takes only small packets, and returns the
     * result of each event, in batch order.
     * @throws Failure of class `outage`; events that the failing call had already committed are duplicates next time.
     */
    apply: (batch: readonly DecodedEvent[]) => Promise<ApplyResult[]>
    /** Resolves when writes commit. @throws Failure of class `outage` that names the cause. */
    canary: () => Promise<void>
    installation: DatabaseInstallation
    /**
     * Constraints that the application added to the tables and that can stop events; looked up again after a minute.
     * Never throws.
     */
    foreignConstraints: () => Promise<readonly ForeignConstraint[]>
  }

/** A worker that was frozen in the middle of a transaction must not commit it under outdated interests. */
const reactionsOutdated = () =>
  new Failure('outage', 'register_unread', 'the register of reactions was outdated at the end of a transaction')

export type MirrorOptions = {
  /** Without reactions, no requests are written. */
  reactions?: Reactions | null
  /**
   * Called after the commit, with objects that turned out to have a version far in the future and were not noted
   * before.
   */
  onFutureVersions?: (found: readonly FutureVersion[]) => void
  clock?: () => number
  random?: () => number
}

function keptForeignConstraints(options: DatabaseOptions): Mirror['foreignConstraints'] {
  let kept: Promise<readonly ForeignConstraint[]> = Promise.resolve([])
  let untilMs = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() < untilMs) return kept
    untilMs = performance.now() + FOREIGN_CONSTRAINTS_KEPT_MS
    const before = kept
    kept = onFreshConnection(options, foreignConstraints).catch(() => before)
    return kept
  }
}

/** Restores the usual wait before the connection returns to its pool. */
async function withLockWait<T>(transaction: Transaction, wait: LockWait, work: () => Promise<T>): Promise<T> {
  if (wait === 'usual') return work()
  const set = (seconds: number) =>
    transaction.execute({ sql: `SET SESSION innodb_lock_wait_timeout = ${seconds}`, values: [] })
  await set(SHORT_LOCK_WAIT_TIMEOUT_S)
  try {
    return await work()
  } finally {
    await set(LOCK_WAIT_TIMEOUT_S).catch(() => undefined)
  }
}

/** Opens no connection yet: a worker starts, and waits, while the database is down. */
export function openMirror(
  options: DatabaseOptions,
  { reactions = null, onFutureVersions, clock = Date.now, random = Math.random }: MirrorOptions = {},
): Mirror {
  const packet: PacketLimit = { bytes: Number.POSITIVE_INFINITY }
  const prisma = openPrisma(options, packet)
  const limits = { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_MS }
  /**
   * The batch is committed: a note that fails must not undo it. Until it succeeds, each later event reports the
   * version.
   */
  const reportFutureVersions = async (future: readonly FutureVersion[]) => {
    const unknown = await noteFutureVersions(prisma, future, clock()).catch(() => future)
    if (unknown.length > 0) onFutureVersions?.(unknown)
  }
  const attempts = {
    async apply(batch: readonly DecodedEvent[], wait: LockWait) {
      const { outcomes, requested, future } = await inTransaction(prisma, limits, async (open) => {
        const interests = reactions?.interests() ?? null
        const applied = await withLockWait(open, wait, () => applyBatch(open, batch, clock(), interests))
        if (reactions && !(await reactions.areCurrent(interests))) throw reactionsOutdated()
        return applied
      })
      if (requested.size > 0) reactions?.onRequested(requested)
      if (future.length > 0) await reportFutureVersions(future)
      return outcomes
    },
    heldRows: (batch: readonly DecodedEvent[]) => findHeldRows(options, batch),
    canary: () => canary({ database: options, requestsReactions: reactions !== null, random }),
    random,
  }
  const blocked = new BlockedObjects()
  const applySplit = async (batch: readonly DecodedEvent[], wait: LockWait): Promise<ApplyResult[]> => {
    const applied: ApplyResult[] = []
    for (const part of splitBatch(batch, packet)) applied.push(...(await applyIsolated(part, attempts, wait)))
    return applied.map((each, index) => {
      const event = batch[index]
      if (each.kind !== 'failed' || !event) return each
      if (isLockWait(each.failure)) blocked.add(event)
      return exceedsPacket(event, packet) ? { kind: 'failed', failure: packetTooLarge(each.failure) } : each
    })
  }
  return {
    async apply(batch) {
      const isApart = batch.map((event) => blocked.has(event))
      const usual = (
        await applySplit(
          batch.filter((_, index) => !isApart[index]),
          'usual',
        )
      ).values()
      const apart = (
        await applySplit(
          batch.filter((_, index) => isApart[index]),
          'short',
        )
      ).values()
      return isApart.flatMap((is) => (is ? apart : usual).next().value ?? [])
    },
    canary: attempts.canary,
    installation: databaseInstallation(prisma, clock),
    foreignConstraints: keptForeignConstraints(options),
    ...mirrorReads(prisma, clock),
    ...reactionReads(prisma, clock),
    ...operatorVerbs(prisma, limits, clock, random),
    [Symbol.asyncDispose]: () => prisma.$disconnect(),
  }
}
