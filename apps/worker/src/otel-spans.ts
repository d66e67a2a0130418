import { Failure } from '@clerk-mirror/events'
import type { Disposition, Handle } from '@clerk-mirror/queue/consume'
import type { Tracing } from '@clerk-mirror/runtime'

/**
 * A span for each event of a batch, in the trace that began at ingest. It ends when the batch has been committed, or
 * has failed.
 */
export const withSpans =
  (handle: Handle, tracing: Tracing): Handle =>
  async (batch) => {
    const spans = batch.map(({ envelope: { eventId, type }, attempt, trace }) => {
      const attributes = {
        'messaging.system': 'bullmq',
        'messaging.message.id': eventId,
        'messaging.batch.message_count': batch.length,
        'clerk.event.type': type,
        'clerk.attempt': attempt,
      }
      return tracing.start('apply', { kind: 'consumer', parent: trace, attributes })
    })
    try {
      const dispositions = await handle(batch)
      for (const [index, span] of spans.entries()) span.end({ error: errorIn(dispositions[index]) })
      return dispositions
    } catch (error) {
      for (const span of spans) span.end({ error: error instanceof Failure ? error.code : 'handler_threw' })
      throw error
    }
  }

const errorIn = (disposition: Disposition | undefined) =>
  disposition?.kind === 'failed' ? disposition.failure.code : undefined
