import { type Envelope, Failure } from '@clerk-mirror/events'
import { decryptBody, encryptBody, type UndecryptedBody } from './encrypted-body.js'
import type { EnvelopeKeys } from './encryption-keys.js'
import { EVENT_RETRIES, REACTION_RETRIES, type Retry } from './retry-schedule.js'

/**
 * An envelope in Redis: a BullMQ job with the event's id as its id, the event's type as its name and the time of
 * receipt as its timestamp, so that a revived dead letter keeps that time while its data is replaced.
 */
export type QueueJob = { id: string; name: string; timestampMs: number; data: string | Buffer }

/** An envelope on its way into the queue: the body is a text, or the UTF-8 bytes of one that no code had to decode. */
export type IncomingEvent = Omit<Envelope, 'body'> & { body: string | Buffer }

/** Scripts read the first three without parsing the rest: they stay first, in this order. */
type JobHead = {
  objectId: string | null
  instanceId: string | null
  source: Envelope['source']
  trace?: string
}
type JobData = JobHead &
  (
    | { body: string }
    /** `userId` in clear: without it an operator without the keys could not erase a person's events. */
    | { userId?: string; sealed: string }
  )

/** An envelope as read from the queue: its body may be encrypted with a key that this process lacks. */
export type StoredEnvelope = Omit<Envelope, 'body' | 'userId'> & { body: string | UndecryptedBody }

export const BACKOFF_TYPE = 'clerk'

/** BullMQ's options, in the form that it stores with each job. The first try is an attempt too. */
const jobOptions = (retries: readonly Retry[]) =>
  JSON.stringify({ attempts: retries.length + 1, backoff: { type: BACKOFF_TYPE } })

export const JOB_OPTIONS = jobOptions(EVENT_RETRIES)
export const REACTION_JOB_OPTIONS = jobOptions(REACTION_RETRIES)

export function queueJobOf(envelope: IncomingEvent, keys: EnvelopeKeys, trace?: string): QueueJob {
  const { eventId, type, receivedAtMs, objectId, instanceId, source, body, userId = null } = envelope
  const job = { id: eventId, name: type, timestampMs: receivedAtMs }
  const head = { objectId, instanceId, source, ...(trace !== undefined && { trace }) }
  const json = (data: JobData) => JSON.stringify(data)
  const sealed = keys.size === 0 ? null : encryptBody(body, clearFields(envelope), keys)
  if (sealed !== null) return { ...job, data: json({ ...head, ...(userId !== null && { userId }), sealed }) }
  return { ...job, data: typeof body === 'string' ? json({ ...head, body }) : jsonWithBytes(head, body) }
}

/**
 * The JSON of the head and a UTF-8 body, whose bytes are copied as they are, without decoding and encoding them again.
 */
function jsonWithBytes(head: JobHead, body: Buffer): Buffer {
  const before = `${JSON.stringify(head).slice(0, -1)},"body":`
  const json = JSON.stringify(body.toString('latin1'))
  const start = Buffer.byteLength(before)
  const bytes = Buffer.allocUnsafe(start + json.length + 1)
  bytes.write(before)
  bytes.write(json, start, 'latin1')
  bytes.write('}', start + json.length)
  return bytes
}

type ClearFields = Pick<Envelope, 'eventId' | 'type' | 'objectId' | 'instanceId' | 'source'> & { userId?: unknown }

/** All clear fields beside an encrypted body, except the time of receipt, which a revived dead letter keeps. */
const clearFields = ({ eventId, type, objectId, instanceId, source, userId = null }: ClearFields) =>
  JSON.stringify([eventId, type, objectId, instanceId, source, userId])

type Fields = Partial<Pick<JobData, 'objectId' | 'instanceId' | 'source'>> & {
  [K in 'body' | 'sealed' | 'userId']?: unknown
}

/** Null for a job that our `enqueue` did not write, such as the remains of a job whose hash is gone. */
export function envelopeOf(
  id: string,
  name: unknown,
  timestampMs: number,
  data: unknown,
  keys: EnvelopeKeys,
): StoredEnvelope | null {
  if (typeof name !== 'string' || typeof data !== 'object' || data === null) return null
  const { objectId = null, instanceId = null, source = 'clerk', body, sealed, userId } = data as Fields
  const head = { eventId: id, type: name, receivedAtMs: timestampMs, objectId, instanceId, source }
  if (typeof body === 'string') return { ...head, body }
  if (typeof sealed !== 'string') return null
  return { ...head, body: decryptBody(sealed, clearFields({ ...head, userId }), keys) }
}

/** The parsed JSON of a job's field; null for invalid JSON and for an absent field. */
export function parsedField(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}

/** A rollout may still bring the key, in any order of processes; changed bytes stay wrong for ever. */
export const undecryptedFailure = ({ keyId, fault }: UndecryptedBody): Failure =>
  fault === 'key-missing'
    ? new Failure('unknown', 'envelope_key_missing', `its body is encrypted with the key ${keyId}, which is not here`)
    : new Failure('poison', 'envelope_not_authentic', `its body was not encrypted with the key ${keyId}`)

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** The trace in which the event was enqueued, as a W3C traceparent; undefined without one. */
export function traceOf(data: unknown): string | undefined {
  const { trace } = (data ?? {}) as { trace?: unknown }
  return typeof trace === 'string' && TRACEPARENT.test(trace) ? trace : undefined
}
