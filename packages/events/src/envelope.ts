import { createHash } from 'node:crypto'

/** Who put the event on the road. Recorded in the ledger. */
export type EventSource = 'clerk' | 'backfill' | 'reconcile'

/** What travels through the queue: Clerk's bytes, untouched, and the little that was read from them by ingest. */
export type Envelope = {
  /** The event's identity everywhere: job id, ledger key, last part of the version. See `eventIdOf`. */
  eventId: string
  type: string
  /** `data.id`, when it is a string; null for what the worker will judge. */
  objectId: string | null
  instanceId: string | null
  source: EventSource
  receivedAtMs: number
  /** The user whom the event is about, besides its object, where its kind says so. */
  userId?: string | null
  /** The request's body as text. */
  body: string
}

const PLAIN_EVENT_ID = /^msg_[A-Za-z0-9]{1,60}$/

/**
 * The event id of a svix-id. Job ids share a key space with the queue's own keys (`meta`, `wait`, …), so everything
 * that is not of Svix' own form is hashed.
 */
export function eventIdOf(svixId: string): string {
  if (PLAIN_EVENT_ID.test(svixId)) return svixId
  return `x_${createHash('sha256').update(svixId).digest('base64url')}`
}
