import { type Arrival, applyBatch } from './apply.js'
import { canary } from './canary.js'
import { openPrisma } from './connection.js'
import type { DatabaseOptions } from './database-url.js'
import { type Applied, applyIsolated } from './isolate.js'
import { type OperatorVerbs, operatorVerbs } from './operator-verbs.js'
import { type PacketLimit, partsFor } from './parts.js'
import { TRANSACTION_MS, TRANSACTION_WAIT_MS } from './policy.js'
import { type MirrorReads, mirrorReads } from './reads.js'
import { inTransaction } from './transaction.js'

export type Mirror = AsyncDisposable &
  OperatorVerbs &
  MirrorReads & {
    /**
     * Applies a batch in one transaction, or a few where its server takes only little at once, and returns what became of each event, in the batch's order.
     * @throws Failure of class `outage`; events that the failing call had already committed are duplicates next time.
     */
    apply: (batch: readonly Arrival[]) => Promise<Applied[]>
    /** Resolves when writes commit. @throws Failure of class `outage` that names the cause. */
    canary: () => Promise<void>
  }

/** Opens nothing yet: a worker starts, and waits, while the database is down. */
export function openMirror(options: DatabaseOptions, clock = Date.now, random = Math.random): Mirror {
  const packet: PacketLimit = { bytes: Number.POSITIVE_INFINITY }
  const prisma = openPrisma(options, packet)
  const limits = { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_MS }
  const attempts = {
    apply: (batch: readonly Arrival[]) => inTransaction(prisma, limits, (open) => applyBatch(open, batch, clock())),
    canary: () => canary(options),
    random,
  }
  return {
    async apply(batch) {
      const applied: Applied[] = []
      for (const part of partsFor(batch, packet)) applied.push(...(await applyIsolated(part, attempts)))
      return applied
    },
    canary: attempts.canary,
    ...mirrorReads(prisma),
    ...operatorVerbs(prisma, limits, clock, random),
    [Symbol.asyncDispose]: () => prisma.$disconnect(),
  }
}
