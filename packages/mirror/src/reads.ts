import type { PrismaClient } from './generated/client.js'
import { DECISIVE } from './ledger.js'

/** Those of these events that the ledger has decided. A dead letter among them is settled. */
export async function decidedAmong(prisma: PrismaClient, eventIds: readonly string[]): Promise<Set<string>> {
  const rows = await prisma.webhookEvent.findMany({
    where: { eventId: { in: [...eventIds] }, outcome: { in: [...DECISIVE] } },
    select: { eventId: true },
  })
  return new Set(rows.map((row) => row.eventId))
}
