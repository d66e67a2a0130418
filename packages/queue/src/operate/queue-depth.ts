import { ENDS } from '../limits.js'
import type { GaugeScripts } from '../lua/gauge-scripts.js'
import type { Partitions } from '../partitions.js'

/** Events by state. Retrying events wait for the time of their next try, dead ones for an operator. */
export type QueueDepth = Readonly<Record<'waiting' | 'active' | 'retrying' | 'dead', number>>

/** All partitions together. `oldestMs`: age of the oldest event that waits or runs; 0 without one. @throws */
export async function readQueueDepth(
  client: GaugeScripts,
  partitions: Partitions,
): Promise<{ events: QueueDepth; oldestMs: number }> {
  const parts = await Promise.all(
    [...partitions].map(({ key }) =>
      client.clerkRead(key('wait'), key('active'), key('delayed'), key('failed'), key(''), ENDS),
    ),
  )
  const sum = (index: number) => parts.reduce((total, part) => total + (part[index] ?? 0), 0)
  return {
    events: { waiting: sum(0), active: sum(1), retrying: sum(2), dead: sum(3) },
    oldestMs: Math.max(0, ...parts.map((part) => part[4] ?? 0)),
  }
}
