import { isFarAhead, type Mirror, type StoredObject } from '@clerk-mirror/mirror'
import type { QueuedEvent, QueueView, StoredEvents } from '@clerk-mirror/queue/operate'
import { TRACE_EVENTS, TRACE_SEARCH_MS } from './limits.js'
import { stepOf } from './trace-event.js'
import type { ObjectTrace } from './trace-types.js'

/** From object rows, ledger, audit and queue; null when none of them knows of the object. */
export async function traceObject(
  queue: QueueView,
  stored: StoredEvents,
  mirror: Mirror,
  id: string,
): Promise<ObjectTrace | null> {
  const [object, rows, actions, { queued, isQueueSearched }] = await Promise.all([
    mirror.storedObject(id),
    mirror.ledgerOf(id, TRACE_EVENTS),
    mirror.recordedActions({ subjectId: id, limit: TRACE_EVENTS }),
    searchQueue(queue, stored, id),
  ])
  if (!object && rows.length === 0 && actions.length === 0 && queued.length === 0) return null
  return {
    kind: 'object',
    id,
    objectKind: object?.kind ?? null,
    state: stateOf(object),
    version: object?.version ?? null,
    isFarAhead: object?.version != null && object.deletedAtMs === null && isFarAhead(object.version, Date.now()),
    userId: object?.userId ?? null,
    organizationId: object?.organizationId ?? null,
    syncedAtMs: object?.syncedAtMs ?? null,
    deletedAtMs: object?.deletedAtMs ?? null,
    deletedBy: object?.deletedBy ?? null,
    events: rows.map(({ eventId, type, outcome, attempts, receivedAtMs, appliedAtMs }) => ({
      ...{ id: eventId, type, outcome, attempts, receivedAtMs },
      decidedAtMs: appliedAtMs,
    })),
    queued: queued.map(({ id: eventId, type, where, attempts, receivedAtMs }) => ({
      ...{ id: eventId, type, where, attempts, receivedAtMs },
    })),
    isQueueSearched,
    steps: actions.map(stepOf).reverse(),
  }
}

function stateOf(object: StoredObject | null): ObjectTrace['state'] {
  if (!object) return 'nothing-stored'
  if (object.deletedAtMs !== null) return 'deleted'
  return object.version ? 'stored' : 'stub'
}

/** Looks at every event in the queue, for as long as a person is ready to wait. */
async function searchQueue(queue: QueueView, stored: StoredEvents, objectId: string) {
  const signal = AbortSignal.timeout(TRACE_SEARCH_MS)
  // The queue may show an event twice while it searches.
  const queued = new Map<string, QueuedEvent>()
  for await (const event of stored.containing([objectId], { signal })) {
    if (event.envelope?.objectId !== objectId || queued.has(event.id)) continue
    const found = await queue.find(event.id)
    if (found) queued.set(found.id, found)
    if (queued.size >= TRACE_EVENTS) return { queued: [...queued.values()], isQueueSearched: false }
  }
  return { queued: [...queued.values()], isQueueSearched: !signal.aborted }
}
