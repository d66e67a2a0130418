import { isFarAhead, type Mirror, type StoredHead } from '@clerk-mirror/mirror'
import type { QueuedEvent, QueueView, StoredEvents } from '@clerk-mirror/queue/operate'
import { TRACE_EVENTS, TRACE_SEARCH_MS } from './limits.js'
import { stepOf } from './trace-event.js'
import type { ObjectTrace } from './trace-types.js'

/** From heads, ledger, audit and queue; null when none of them knows of the object. */
export async function traceObject(
  queue: QueueView,
  stored: StoredEvents,
  mirror: Mirror,
  id: string,
): Promise<ObjectTrace | null> {
  const [head, rows, actions, { queued, isQueueSearched }] = await Promise.all([
    mirror.storedHead(id),
    mirror.ledgerOf(id, TRACE_EVENTS),
    mirror.recordedActions({ subjectId: id, limit: TRACE_EVENTS }),
    searchQueue(queue, stored, id),
  ])
  if (!head && rows.length === 0 && actions.length === 0 && queued.length === 0) return null
  return {
    kind: 'object',
    id,
    objectKind: head?.kind ?? null,
    state: stateOf(head),
    version: head?.version ?? null,
    isFarAhead: head?.version != null && head.deletedAtMs === null && isFarAhead(head.version, Date.now()),
    userId: head?.userId ?? null,
    organizationId: head?.organizationId ?? null,
    syncedAtMs: head?.syncedAtMs ?? null,
    deletedAtMs: head?.deletedAtMs ?? null,
    deletedBy: head?.deletedBy ?? null,
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

function stateOf(head: StoredHead | null): ObjectTrace['state'] {
  if (!head) return 'nothing-stored'
  if (head.deletedAtMs !== null) return 'deleted'
  return head.version ? 'stored' : 'stub'
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
