import { asObjectId, decode, Failure, type MirroredKinds } from '@clerk-mirror/events'
import type { Applied, Arrival, Mirror } from '@clerk-mirror/mirror'
import type { Delivery, Disposition, Handle } from '@clerk-mirror/queue/consume'

/** What became of a delivery, for whoever counts and logs; `happenedAtMs` is Clerk's time, null where it told none. */
export type Handled = { delivery: Delivery; result: Applied; happenedAtMs: number | null }

/** The switchboard: decodes each event, applies the batch, and says of each event what the queue is to do with it. */
export function handlerFor(mirror: Mirror, isMirrored: MirroredKinds, onHandled: (handled: Handled) => void): Handle {
  return async (batch) => {
    const steps = batch.map((delivery) => ({ delivery, step: arrivalOf(delivery, isMirrored) }))
    const arrivals = steps.flatMap(({ step }) => (step instanceof Failure ? [] : [step]))
    const applied = arrivals.length > 0 ? await mirror.apply(arrivals) : []
    const results = new Map(arrivals.map((arrival, index) => [arrival, applied[index]]))
    return steps.map(({ delivery, step }): Disposition => {
      if (step instanceof Failure) return { kind: 'failed', failure: step }
      const result = results.get(step) ?? unanswered
      onHandled({ delivery, result, happenedAtMs: step.change?.happenedAtMs ?? null })
      return result.kind === 'decided' ? { kind: 'done' } : { kind: 'failed', failure: result.failure }
    })
  }
}

const unanswered: Applied = {
  kind: 'failed',
  failure: new Failure('unknown', 'mirror_silent', 'the mirror said nothing of this event'),
}

function arrivalOf({ envelope, attempt }: Delivery, isMirrored: MirroredKinds): Arrival | Failure {
  const decoded = decode(envelope, isMirrored)
  if (decoded.kind === 'malformed') return new Failure('poison', 'malformed', decoded.message)
  const { eventId, type, source, receivedAtMs } = envelope
  // Of an event that is ignored nobody has looked at the ids, and what is no id does not fit the ledger's columns.
  const objectId = asObjectId(envelope.objectId)
  const instanceId = asObjectId(envelope.instanceId)
  const entry = { eventId, type, objectId, instanceId, source, receivedAtMs, attempts: attempt }
  return { entry, change: decoded.kind === 'change' ? decoded.change : null }
}
