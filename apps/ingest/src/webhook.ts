import {
  type Envelope,
  eventIdOf,
  isNeverStored,
  type Peeked,
  peek,
  type SigningKey,
  verifySignature,
} from '@clerk-mirror/events'
import type { Acceptance } from '@clerk-mirror/queue'
import type { RefusalCode } from './errors.js'

export type WebhookDecision =
  | { kind: 'accepted'; eventId: string; how: string }
  | { kind: 'ignored'; eventId: string; reason: 'never_stored' | 'other_instance' }
  | { kind: 'refused'; code: RefusalCode; eventId?: string; cause?: string }

export type WebhookOptions = {
  keys: readonly SigningKey[]
  instanceId: string | undefined
  accept: (envelope: Envelope) => Promise<Acceptance>
  clock: () => number
}

/**
 * One delivery: verified, read as far as the door must, made durable. Nothing that was not verified gets further than
 * the first line.
 */
export async function receive(
  rawHeaders: readonly string[],
  body: Buffer,
  { keys, instanceId, accept, clock }: WebhookOptions,
): Promise<WebhookDecision> {
  const nowMs = clock()
  const verdict = verifySignature(rawHeaders, body, keys, nowMs)
  if (verdict.kind === 'rejected') return { kind: 'refused', code: verdict.code, cause: verdict.message }
  const eventId = eventIdOf(verdict.svixId)
  const event = peek(body)
  if (event.kind === 'not-an-event') return { kind: 'refused', code: event.code, eventId }
  if (isNeverStored(event.type)) return { kind: 'ignored', eventId, reason: 'never_stored' }
  // Events that name no instance are old shapes, and ours as far as anybody can tell.
  const isForeign = instanceId !== undefined && event.instanceId !== null && event.instanceId !== instanceId
  if (isForeign) return { kind: 'ignored', eventId, reason: 'other_instance' }
  const acceptance = await accept(envelopeOf(eventId, event, nowMs))
  if (acceptance.kind === 'accepted') return { kind: 'accepted', eventId, how: acceptance.how }
  return { kind: 'refused', code: acceptance.code, eventId, cause: acceptance.cause }
}

function envelopeOf(eventId: string, event: Peeked & { kind: 'event' }, receivedAtMs: number): Envelope {
  const { type, objectId, instanceId, text } = event
  return { eventId, type, objectId, instanceId, source: 'clerk', receivedAtMs, body: text }
}
