import { Failure } from '@clerk-mirror/events'
import { type Arrival, applyBatch } from './apply/apply.js'
import { type Applied, applyIsolated, type LockWait } from './apply/isolate.js'
import type { Reactions } from './apply/outbox.js'
import { type ReactionReads, reactionReads } from './apply/reaction-reads.js'
import { exceedsPacket, type PacketLimit, partsFor } from './apply/split-batch.js'
import { canary } from './database/canary.js'
import { onFreshConnection, openPrisma } from './database/connection.js'
import { LOCK_WAIT_TIMEOUT_S, SHORT_LOCK_WAIT_TIMEOUT_S } from './database/connection-limits.js'
import type { DatabaseOptions } from './database/database-url.js'
import { isLockWait, packetTooLarge } from './database/failures.js'
import { type ForeignConstraint, foreignConstraints } from './database/foreign-constraints.js'
import { BlockedObjects, findHeldRows } from './database/held-rows.js'
import { inTransaction, type Transaction } from './database/transaction.js'
import { FOREIGN_CONSTRAINTS_KEPT_MS, TRANSACTION_MS, TRANSACTION_WAIT_MS } from './limits.js'
import { type FutureVersion, noteFutureVersions } from './operate/future-versions.js'
import { type DatabaseInstallation, databaseInstallation } from './operate/installation.js'
import { type OperatorVerbs, operatorVerbs } from './operate/operator-verbs.js'
import { type MirrorReads, mirrorReads } from './operate/reads.js'

export type Mirror = AsyncDisposable &
  OperatorVerbs &
  MirrorReads &
  ReactionReads & {
    /**
     * Applies a batch in one transaction, or a few where its server takes only little at once, and returns what became
     * of each event, in the batch's order.
     * @throws Failure of class `outage`; events that the failing call had already committed are duplicates next time.
     */
    apply: (batch: readonly Arrival[]) => Promise<Applied[]>
    /** Resolves when writes commit. @throws Failure of class `outage` that names the cause. */
    canary: () => Promise<void>
    installation: DatabaseInstallation
    /** What the application added to the tables that can stop events; looked up anew after a minute. Never throws. */
    foreignConstraints: () => Promise<readonly ForeignConstraint[]>
  }

/** A worker that was frozen in the middle of a transaction must not commit it by what was wanted before. */
const reactionsOutdated = () =>
  new Failure(
    'outage',
    'register_unread',
    'which reactions are wanted was not known any more at the end of a transaction',
  )

export type MirrorOptions = {
  /** Without them, nothing is asked for. */
  reactions?: Reactions | null
  /** Called after the commit, with objects that were found to have a version far in the future and not noted before. */
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

/** The connection goes back to its pool with the wait that it had. */
async function waiting<T>(transaction: Transaction, wait: LockWait, work: () => Promise<T>): Promise<T> {
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

/** Opens nothing yet: a worker starts, and waits, while the database is down. */
export function openMirror(
  options: DatabaseOptions,
  { reactions = null, onFutureVersions, clock = Date.now, random = Math.random }: MirrorOptions = {},
): Mirror {
  const packet: PacketLimit = { bytes: Number.POSITIVE_INFINITY }
  const prisma = openPrisma(options, packet)
  const limits = { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_MS }
  /** The batch is committed: a note that cannot be made must not undo it. Then each of their events tells of them. */
  const tellFuture = async (future: readonly FutureVersion[]) => {
    const unknown = await noteFutureVersions(prisma, future, clock()).catch(() => future)
    if (unknown.length > 0) onFutureVersions?.(unknown)
  }
  const attempts = {
    async apply(batch: readonly Arrival[], wait: LockWait) {
      const { outcomes, asked, future } = await inTransaction(prisma, limits, async (open) => {
        const interests = reactions?.interests() ?? null
        const applied = await waiting(open, wait, () => applyBatch(open, batch, clock(), interests))
        if (reactions && !(await reactions.areCurrent(interests))) throw reactionsOutdated()
        return applied
      })
      if (asked.size > 0) reactions?.onAsked(asked)
      if (future.length > 0) await tellFuture(future)
      return outcomes
    },
    heldRows: (batch: readonly Arrival[]) => findHeldRows(options, batch),
    canary: () => canary({ database: options, asksForReactions: reactions !== null, random }),
    random,
  }
  const blocked = new BlockedObjects()
  const applyParts = async (batch: readonly Arrival[], wait: LockWait): Promise<Applied[]> => {
    const applied: Applied[] = []
    for (const part of partsFor(batch, packet)) applied.push(...(await applyIsolated(part, attempts, wait)))
    return applied.map((each, index) => {
      const arrival = batch[index]
      if (each.kind !== 'failed' || !arrival) return each
      if (isLockWait(each.failure)) blocked.add(arrival)
      return exceedsPacket(arrival, packet) ? { kind: 'failed', failure: packetTooLarge(each.failure) } : each
    })
  }
  return {
    async apply(batch) {
      const isApart = batch.map((arrival) => blocked.has(arrival))
      const usual = (
        await applyParts(
          batch.filter((_, index) => !isApart[index]),
          'usual',
        )
      ).values()
      const apart = (
        await applyParts(
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
