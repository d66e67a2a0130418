import { BLOCKED_COUNTED } from '../limits.js'
import { BLOCKED, type GaugeScripts } from '../lua/gauge-scripts.js'
import type { Partitions } from '../partitions.js'

/** Events that a constraint or a lock of the application blocks, by the code of the cause. */
export type BlockedByCode = Readonly<Record<string, number>>

/** All partitions together; up to BLOCKED_COUNTED of each. */
export async function countBlocked(client: GaugeScripts, partitions: Partitions): Promise<BlockedByCode> {
  const parts = await Promise.all(
    [...partitions].map(({ key }) => client.clerkBlocked(key(BLOCKED), key(''), BLOCKED_COUNTED)),
  )
  const counts: Record<string, number> = {}
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) {
      const code = String(part[at])
      counts[code] = (counts[code] ?? 0) + Number(part[at + 1])
    }
  }
  return counts
}
