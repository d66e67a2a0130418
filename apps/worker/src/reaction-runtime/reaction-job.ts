import type { Envelope } from '@clerk-mirror/events'
import type { AskedReaction } from '@clerk-mirror/mirror'
import { reactionJobId } from '@clerk-mirror/queue/consume'

/** How an asked reaction lies in its queue: as an event does, with what was asked for as its body. */
export function reactionJob(asked: AskedReaction): Envelope {
  const { reaction, objectId, version, askedAtMs, requestId } = asked
  return {
    eventId: reactionJobId(reaction, requestId === undefined ? version.eventId : `asked ${requestId}`, objectId),
    type: reaction,
    objectId,
    instanceId: null,
    source: 'clerk',
    receivedAtMs: askedAtMs,
    body: JSON.stringify(asked),
  }
}

/** Null for what no relay of ours wrote. */
export function askedIn({ body }: Envelope): AskedReaction | null {
  try {
    const asked = JSON.parse(body) as Partial<AskedReaction> | null
    const isOurs = typeof asked?.objectId === 'string' && typeof asked.version?.eventId === 'string'
    return isOurs ? (asked as AskedReaction) : null
  } catch {
    return null
  }
}
