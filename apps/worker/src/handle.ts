import { asObjectId, decode, Failure, type MirroredKinds } from '@clerk-mirror/events'
import type { ApplyResult, DecodedEvent, Mirror } from '@clerk-mirror/mirror'
import type { Delivery, Disposition, Handle } from '@clerk-mirror/queue/consume'

/** A delivery and its result, for metrics and log; `happenedAtMs` is Clerk's time, null where Clerk gave none. */
export type Handled = { delivery: Delivery; result: ApplyResult; happenedAtMs: number | null }

/** Decodes each event, applies the batch, and returns for each event how the queue is to dispose of it. */
export function handlerFor(mirror: Mirror, isMirrored: MirroredKinds, onHandled: (handled: Handled) => void): Handle {
  return async (batch) => {
    const steps = batch.map((delivery) => ({ delivery, step: decodeDelivery(delivery, isMirrored) }))
    const events = steps.flatMap(({ step }) => (step instanceof Failure ? [] : [step]))
    const applied = events.length > 0 ? await mirror.apply(events) : []
    const results = new Map(events.map((event, index) => [event, applied[index]]))
    return steps.map(({ delivery, step }): Disposition => {
      if (step instanceof Failure) return { kind: 'failed', failure: step }
      const result = results.get(step) ?? unanswered
      onHandled({ delivery, result, happenedAtMs: step.change?.happenedAtMs ?? null })
      return result.kind === 'decided' ? { kind: 'done' } : { kind: 'failed', failure: result.failure }
    })
  }
}

const unanswered: ApplyResult = {
  kind: 'failed',
  failure: new Failure('unknown', 'mirror_silent', 'the mirror returned no result for this event'),
}

function decodeDelivery({ envelope, attempt }: Delivery, isMirrored: MirroredKinds): DecodedEvent | Failure {
  const decoded = decode(envelope, isMirrored)
  if (decoded.kind === 'malformed') return new Failure('poison', 'malformed', decoded.message)
  const { eventId, type, source, receivedAtMs } = envelope
  // The ids of an ignored event are unchecked, and one that is not valid does not fit the ledger's columns.
  const objectId = asObjectId(envelope.objectId)
  const instanceId = asObjectId(envelope.instanceId)
  const entry = { eventId, type, objectId, instanceId, source, receivedAtMs, attempts: attempt }
  return { entry, change: decoded.kind === 'change' ? decoded.change : null }
}
