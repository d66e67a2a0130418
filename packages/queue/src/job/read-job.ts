import type { EnvelopeKeys } from './encryption-keys.js'
import { type Reason, readReason } from './failure-reason.js'
import { envelopeOf, parsedField, type StoredEnvelope } from './queue-job.js'

/** Fields of a job's hash, as Redis gives them. */
export type JobFields = Readonly<Record<string, string | null | undefined>>

/** The fields of a job that `readJob` needs. */
export const EVENT_FIELDS = ['name', 'data', 'timestamp', 'atm', 'failedReason'] as const

/** An event as a job of the queue holds it. Time in ms. */
export type JobEvent = {
  id: string
  type: string
  receivedAtMs: number
  attempts: number
  /** Null for a job without one: another program put it into the queue, or its body is lost. */
  envelope: StoredEnvelope | null
  /** The failure of the last try; null before the first. */
  reason: Reason | null
}

export function readJob(id: string, fields: JobFields, keys: EnvelopeKeys): JobEvent {
  const receivedAtMs = Number(fields['timestamp'] ?? 0)
  return {
    id,
    type: fields['name'] ?? '',
    receivedAtMs,
    attempts: Number(fields['atm'] ?? 0),
    envelope: envelopeOf(id, fields['name'], receivedAtMs, parsedField(fields['data'] ?? undefined), keys),
    reason: fields['failedReason'] ? readReason(fields['failedReason']) : null,
  }
}
