import type { Envelope } from '@clerk-mirror/events'
import { TRIES_MAX } from './policy.js'

/**
 * How an envelope lies in Redis: a BullMQ job whose id is the event's, whose name is the event's type and whose
 * timestamp is the time of receipt, so that a revived letter keeps it while its data is replaced.
 */
export type StoredJob = { id: string; name: string; timestampMs: number; data: string }

type JobData = {
  objectId: string | null
  instanceId: string | null
  source: Envelope['source']
  body: string
  trace?: string
}

export const BACKOFF_TYPE = 'clerk'

/** BullMQ's options as it keeps them with each job. */
export const JOB_OPTIONS = JSON.stringify({ attempts: TRIES_MAX, backoff: { type: BACKOFF_TYPE } })

export function jobOf(
  { eventId, type, receivedAtMs, objectId, instanceId, source, body }: Envelope,
  trace?: string,
): StoredJob {
  const data: JobData = { objectId, instanceId, source, body, ...(trace !== undefined && { trace }) }
  return { id: eventId, name: type, timestampMs: receivedAtMs, data: JSON.stringify(data) }
}

/** Null for a job that no `accept` of ours wrote, such as the ghost of a job whose hash is gone. */
export function envelopeOf(id: string, name: unknown, timestampMs: number, data: unknown): Envelope | null {
  if (typeof name !== 'string' || typeof data !== 'object' || data === null) return null
  const { objectId = null, instanceId = null, source = 'clerk', body } = data as Partial<JobData>
  if (typeof body !== 'string') return null
  return { eventId: id, type: name, receivedAtMs: timestampMs, objectId, instanceId, source, body }
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** The trace that the event was accepted in, as a W3C traceparent; undefined when none was made. */
export function traceOf(data: unknown): string | undefined {
  const { trace } = (data ?? {}) as Partial<JobData>
  return typeof trace === 'string' && TRACEPARENT.test(trace) ? trace : undefined
}
