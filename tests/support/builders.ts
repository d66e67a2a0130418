import { randomBytes } from 'node:crypto'
import { decode, type Envelope, type EventSource, parseMirroredKinds } from '@clerk-mirror/events'
import type { DecodedEvent } from '@clerk-mirror/mirror'

/** An event as Clerk would send it: a type, a body's `data`, and the version's two times. */
export type EventOptions = {
  id?: string
  /** Milliseconds; `updated_at` of the object and, a moment later, the envelope's timestamp. */
  at?: number
  timestamp?: number | null
  source?: EventSource
  data?: object
}

const everything = parseMirroredKinds('*')

/** The mirror's input for this event, as the worker makes it. */
export function decodedEvent(type: string, objectId: string, options: EventOptions = {}): DecodedEvent {
  const { id = `msg_${randomBytes(10).toString('hex')}`, at = 1000, timestamp = at + 20, source = 'clerk' } = options
  const isDelete = type.endsWith('.deleted') && type !== 'organizationMembership.deleted'
  const data = { id: objectId, ...(isDelete ? { deleted: true } : { updated_at: at }), ...options.data }
  const body = JSON.stringify({ type, data, ...(timestamp !== null && { timestamp: timestamp + TIME_BASE }) }, shifted)
  const envelope: Envelope = { eventId: id, type, objectId, instanceId: null, source, receivedAtMs: TIME_BASE, body }
  const decoded = decode(envelope, everything)
  if (decoded.kind === 'malformed') throw new Error(`${type} is malformed at ${decoded.at}`)
  const entry = { eventId: id, type, objectId, instanceId: null, source, receivedAtMs: TIME_BASE, attempts: 1 }
  return { entry, change: decoded.kind === 'change' ? decoded.change : null }
}

/** Small numbers in a story are milliseconds after this. */
export const TIME_BASE = 1_700_000_000_000

const shifted = (key: string, value: unknown) => (key === 'updated_at' ? Number(value) + TIME_BASE : value)

export const userCreated = (id: string, options?: EventOptions) => decodedEvent('user.created', id, options)
export const userUpdated = (id: string, options?: EventOptions) => decodedEvent('user.updated', id, options)
export const userDeleted = (id: string, options?: EventOptions) => decodedEvent('user.deleted', id, options)

export const membership = (
  type: 'created' | 'updated' | 'deleted',
  id: string,
  of: { user: string; organization: string },
  options: EventOptions = {},
) =>
  decodedEvent(`organizationMembership.${type}`, id, {
    ...options,
    data: { organization: { id: of.organization }, public_user_data: { user_id: of.user }, ...options.data },
  })
