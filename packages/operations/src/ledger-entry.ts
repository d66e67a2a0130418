import { asObjectId } from '@clerk-mirror/events'
import type { LedgerEntry } from '@clerk-mirror/mirror'

type QueueEntry = Omit<LedgerEntry, 'eventId'> & { id: string }

/** A dead letter may be one because it is odd: values that no column of the ledger takes are left out. */
export const entryOf = ({ id, type, objectId, instanceId, ...entry }: QueueEntry): LedgerEntry => ({
  ...{ source: entry.source, attempts: entry.attempts, receivedAtMs: entry.receivedAtMs },
  eventId: id,
  type: ascii(type, 100) ?? 'unknown',
  objectId: asObjectId(objectId),
  instanceId: asObjectId(instanceId),
})

/** The id, or else null, of a subject that the columns for ids take. */
export const ascii = (text: string | null, width: number): string | null =>
  text !== null && text.length <= width && /^[!-~]+$/.test(text) ? text : null
