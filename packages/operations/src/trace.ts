import { asObjectId } from '@clerk-mirror/events'
import type { QueueView, StoredEvents } from '@clerk-mirror/queue/operate'
import type { Ledger } from './ledger.js'
import type { ReactionDesk } from './reaction-desk.js'
import { traceEvent } from './trace-event.js'
import { traceObject } from './trace-object.js'
import type { Trace } from './trace-types.js'

/** Svix' own form, or the one that others are stored under. */
const EVENT_ID = /^(msg_[A-Za-z0-9]{1,60}|x_[\w-]{43})$/

/** An id of no such form may be an object's or any svix-id. */
export async function trace({ queue, stored, reactions, ledger }: Sources, id: string): Promise<Trace | null> {
  if (EVENT_ID.test(id)) return traceEvent(queue, reactions, ledger, id)
  const object = asObjectId(id) === null ? null : await traceObject(queue, stored, ledger.required, id)
  return object ?? traceEvent(queue, reactions, ledger, id)
}

type Sources = { queue: QueueView; stored: StoredEvents; reactions: ReactionDesk; ledger: Ledger }
