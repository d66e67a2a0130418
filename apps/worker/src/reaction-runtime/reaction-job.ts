import type { Envelope } from '@clerk-mirror/events'
import type { ReactionRequest } from '@clerk-mirror/mirror'
import { reactionJobId } from '@clerk-mirror/queue/consume'

/** A reaction request in its queue: an envelope like an event's, with the request as its body. */
export function reactionJob(request: ReactionRequest): Envelope {
  const { reaction, objectId, version, askedAtMs, requestId } = request
  return {
    eventId: reactionJobId(reaction, requestId === undefined ? version.eventId : `asked ${requestId}`, objectId),
    type: reaction,
    objectId,
    instanceId: null,
    source: 'clerk',
    receivedAtMs: askedAtMs,
    body: JSON.stringify(request),
  }
}

/** Null for a job that no relay of ours wrote. */
export function requestIn({ body }: Envelope): ReactionRequest | null {
  try {
    const request = JSON.parse(body) as Partial<ReactionRequest> | null
    const isOurs = typeof request?.objectId === 'string' && typeof request.version?.eventId === 'string'
    return isOurs ? (request as ReactionRequest) : null
  } catch {
    return null
  }
}
