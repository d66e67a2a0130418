import { eventIdOf } from '@clerk-mirror/events'
import type { Mirror } from '@clerk-mirror/mirror'
import type { DeadLetter, DeadLetterDetails, DeadLetters } from '@clerk-mirror/queue'
import { LEDGER_PAGE } from './policy.js'

export type ReplayResult = { matched: number; replayed: number; skipped: number }

export type DeadLetterOperations = {
  /**
   * Oldest first. A letter whose event the ledger has decided meanwhile is settled and left out; without a mirror to
   * ask, it is listed.
   */
  list: () => AsyncIterable<DeadLetter>
  /** By the event's id, or by the svix-id that Clerk's dashboard shows. */
  show: (id: string) => Promise<DeadLetterDetails | null>
  /** Moves the letters back to the queue; `skipped` counts those that were gone when their turn came. */
  replay: (ids: readonly string[]) => Promise<ReplayResult>
}

export function deadLetterOperations(letters: DeadLetters, mirror: Mirror | null): DeadLetterOperations {
  return {
    async *list() {
      for await (const page of pagesOf(letters.list())) {
        const settled = mirror ? await mirror.decidedAmong(page.map((letter) => letter.id)) : new Set<string>()
        yield* page.filter((letter) => !settled.has(letter.id))
      }
    },
    show: (id) => letters.find(asEventId(id)),
    async replay(ids) {
      const result: ReplayResult = { matched: 0, replayed: 0, skipped: 0 }
      for (const id of new Set(ids.map(asEventId))) {
        if (!(await letters.find(id))) continue
        result.matched += 1
        if (await letters.replay(id)) result.replayed += 1
        else result.skipped += 1
      }
      return result
    },
  }
}

const HASHED = /^x_[\w-]{43}$/

const asEventId = (id: string) => (HASHED.test(id) ? id : eventIdOf(id))

async function* pagesOf<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let page: T[] = []
  for await (const item of items) {
    page.push(item)
    if (page.length < LEDGER_PAGE) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}
