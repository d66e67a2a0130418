import type { Mirror, ObjectNow } from '@clerk-mirror/mirror'
import { READ_OBJECTS_MAX } from '../limits.js'

/** Reads an object as it is now; null when it is not there. @throws what the mirror throws */
export type ReadObject = (id: string) => Promise<ObjectNow | null>

type Asked = { id: string; settle: (object: ObjectNow | null) => void; fail: (error: unknown) => void }

/**
 * One statement for many runs: those that ask in one turn of the event loop, and those that ask while another statement
 * is on its way. What a run gets was read after it asked.
 */
export function objectReader(objectsNow: Mirror['objectsNow']): ReadObject {
  let waiting: Asked[] = []
  let isReading = false
  const readAll = async () => {
    while (waiting.length > 0) {
      const asked = waiting.slice(0, READ_OBJECTS_MAX)
      waiting = waiting.slice(READ_OBJECTS_MAX)
      try {
        const objects = await objectsNow([...new Set(asked.map(({ id }) => id))])
        for (const { id, settle } of asked) settle(objects.get(id) ?? null)
      } catch (error) {
        for (const { fail } of asked) fail(error)
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
