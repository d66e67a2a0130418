import { createHash } from 'node:crypto'

/** The origin of the event. Recorded in the ledger. */
export type EventSource = 'clerk' | 'backfill' | 'reconcile'

/** The payload of the queue: Clerk's bytes, untouched, and the few fields that ingest has read from them. */
export type Envelope = {
  /** The event's identity everywhere: job id, ledger key, last part of the version. See `eventIdOf`. */
  eventId: string
  type: string
  /** `data.id`, when it is a string; null otherwise, which the worker judges. */
  objectId: string | null
  instanceId: string | null
  source: EventSource
  receivedAtMs: number
  /** The user that owns the event's object, where its kind names one. */
  userId?: string | null
  /** The request's body as text. */
  body: string
}

const PLAIN_EVENT_ID = /^msg_[A-Za-z0-9]{1,60}$/

/**
 * The event id of a svix-id. Job ids share a key space with the queue's own keys (`meta`, `wait`, …), so every id that
 * is not in Svix' own form is hashed.
 */
export function eventIdOf(svixId: string): string {
  if (PLAIN_EVENT_ID.test(svixId)) return svixId
  return `x_${createHash('sha256').update(svixId).digest('base64url')}`
}
