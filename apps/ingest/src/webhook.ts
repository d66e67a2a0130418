import {
  type CheckedSignatureHeaders,
  eventIdOf,
  isNeverStored,
  type PeekResult,
  peek,
  type SigningKey,
  verifySignature,
} from '@clerk-mirror/events'
import type { EnqueueResult, IncomingEvent, Producer } from '@clerk-mirror/queue/enqueue'
import type { Span, Tracing } from '@clerk-mirror/runtime'
import type { DroppedEvent, DropReason } from './dropped-events.js'
import type { RefusalCode } from './errors.js'

export type WebhookDecision =
  | { kind: 'accepted'; eventId: string; how: string }
  | ({ kind: 'ignored' } & DroppedEvent)
  | { kind: 'refused'; code: RefusalCode; eventId?: string; cause?: string }

export type WebhookOptions = {
  keys: readonly SigningKey[]
  instanceId: string | undefined
  enqueue: Producer['enqueue']
  tracing: Tracing
  clock: () => number
}

/**
 * One delivery: verified, read as far as ingest must, made durable. Nothing that was not verified gets further than
 * the first line.
 */
export async function receive(
  headers: CheckedSignatureHeaders,
  body: Buffer,
  options: WebhookOptions,
  span: Span,
): Promise<WebhookDecision> {
  const { keys, instanceId, clock } = options
  const nowMs = clock()
  const verdict = verifySignature(headers, body, keys)
  if (verdict.kind === 'rejected') return { kind: 'refused', code: verdict.code, cause: verdict.message }
  const eventId = eventIdOf(verdict.svixId)
  const event = peek(body)
  if (event.kind === 'not-an-event') return { kind: 'refused', code: event.code, eventId, cause: event.message }
  const dropped = (reason: DropReason): WebhookDecision => ({
    ...{ kind: 'ignored', reason, eventId, type: event.type, instanceId: event.instanceId },
  })
  if (isNeverStored(event.type)) return dropped('never_stored')
  // Events that name no instance are old shapes, and ours as far as anybody can tell.
  const isForeign = instanceId !== undefined && event.instanceId !== null && event.instanceId !== instanceId
  if (isForeign) return dropped('other_instance')
  const acceptance = await enqueueTraced(incomingEventOf(eventId, event, body, nowMs), options, span)
  if (acceptance.kind === 'accepted') return { kind: 'accepted', eventId, how: acceptance.how }
  return { kind: 'refused', code: acceptance.code, eventId, cause: acceptance.cause }
}

/** The worker goes on with this trace. */
async function enqueueTraced(
  envelope: IncomingEvent,
  { enqueue, tracing }: WebhookOptions,
  parent: Span,
): Promise<EnqueueResult> {
  const attributes = { 'messaging.system': 'bullmq', 'messaging.message.id': envelope.eventId }
  const span = tracing.start('accept', { kind: 'producer', parent: parent.traceparent, attributes })
  const acceptance = await enqueue(envelope, span.traceparent)
  span.end(acceptance.kind === 'refused' ? { error: acceptance.code } : {})
  return acceptance
}

function incomingEventOf(
  eventId: string,
  { type, objectId, userId, instanceId }: PeekResult & { kind: 'event' },
  body: Buffer,
  receivedAtMs: number,
): IncomingEvent {
  return { eventId, type, objectId, userId, instanceId, source: 'clerk', receivedAtMs, body }
}
