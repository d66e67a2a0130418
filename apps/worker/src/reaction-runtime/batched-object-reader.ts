import type { Mirror, ObjectNow } from '@clerk-mirror/mirror'
import { READ_OBJECTS_MAX } from '../limits.js'

/** Reads an object in its present state; null when it is absent. @throws the mirror's failures */
export type ReadObject = (id: string) => Promise<ObjectNow | null>

type PendingRead = { id: string; settle: (object: ObjectNow | null) => void; fail: (error: unknown) => void }

/**
 * Callers that arrive while a call is in flight share its answer: many runs that could not read probe the database
 * once.
 */
export function singleFlight(ask: () => Promise<void>): () => Promise<void> {
  let asking: Promise<void> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/**
 * One statement for many runs: for those that read in one turn of the event loop, and for those that read while another
 * statement is in flight. A run never gets an object that was read before its call.
 */
export function batchedObjectReader(objectsNow: Mirror['objectsNow']): ReadObject {
  let waiting: PendingRead[] = []
  let isReading = false
  const readAll = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, READ_OBJECTS_MAX)
      waiting = waiting.slice(READ_OBJECTS_MAX)
      try {
        const objects = await objectsNow([...new Set(batch.map(({ id }) => id))])
        for (const { id, settle } of batch) settle(objects.get(id) ?? null)
      } catch (error) {
        for (const { fail } of batch) fail(error)
      }
    }
    isReading = false
  }
  return (id) =>
    new Promise((settle, fail) => {
      waiting.push({ id, settle, fail })
      if (isReading) return
      isReading = true
      setImmediate(() => void readAll())
    })
}
