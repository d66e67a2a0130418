import { type Arrival, applyBatch } from './apply.js'
import { canary } from './canary.js'
import { openPrisma } from './connection.js'
import type { DatabaseOptions } from './database-url.js'
import { packetTooLarge } from './failures.js'
import { type Applied, applyIsolated } from './isolate.js'
import { type OperatorVerbs, operatorVerbs } from './operator-verbs.js'
import type { Reactions } from './outbox.js'
import { exceedsPacket, type PacketLimit, partsFor } from './parts.js'
import { TRANSACTION_MS, TRANSACTION_WAIT_MS } from './policy.js'
import { type ReactionReads, reactionReads } from './reaction-reads.js'
import { type MirrorReads, mirrorReads } from './reads.js'
import { inTransaction } from './transaction.js'

export type Mirror = AsyncDisposable &
  OperatorVerbs &
  MirrorReads &
  ReactionReads & {
    /**
     * Applies a batch in one transaction, or a few where its server takes only little at once, and returns what became of
     * each event, in the batch's order.
     * @throws Failure of class `outage`; events that the failing call had already committed are duplicates next time.
     */
    apply: (batch: readonly Arrival[]) => Promise<Applied[]>
    /** Resolves when writes commit. @throws Failure of class `outage` that names the cause. */
    canary: () => Promise<void>
  }

export type MirrorOptions = {
  /** Without them, nothing is asked for. */
  reactions?: Reactions | null
  clock?: () => number
  random?: () => number
}

/** Opens nothing yet: a worker starts, and waits, while the database is down. */
export function openMirror(
  options: DatabaseOptions,
  { reactions = null, clock = Date.now, random = Math.random }: MirrorOptions = {},
): Mirror {
  const packet: PacketLimit = { bytes: Number.POSITIVE_INFINITY }
  const prisma = openPrisma(options, packet)
  const limits = { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_MS }
  const attempts = {
    async apply(batch: readonly Arrival[]) {
      const { outcomes, asked } = await inTransaction(prisma, limits, (open) =>
        applyBatch(open, batch, clock(), reactions),
      )
      if (asked.size > 0) reactions?.onAsked(asked)
      return outcomes
    },
    canary: () => canary(options),
    random,
  }
  return {
    async apply(batch) {
      const applied: Applied[] = []
      for (const part of partsFor(batch, packet)) applied.push(...(await applyIsolated(part, attempts)))
      return applied.map((each, index) => {
        const arrival = batch[index]
        const isTooLarge = each.kind === 'failed' && arrival && exceedsPacket(arrival, packet)
        return isTooLarge ? { kind: 'failed', failure: packetTooLarge(each.failure) } : each
      })
    },
    canary: attempts.canary,
    ...mirrorReads(prisma),
    ...reactionReads(prisma, clock),
    ...operatorVerbs(prisma, limits, clock, random),
    [Symbol.asyncDispose]: () => prisma.$disconnect(),
  }
}
