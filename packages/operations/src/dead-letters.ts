import type { DeadLetter, DeadLetterDetails, DeadLetters, LetterPlace, PlacedLetter } from '@clerk-mirror/queue'
import type { Page } from './audit.js'
import { actionOf, type BulkOptions, bulk, type DiscardResult, type ReplayResult, type RetryNowResult } from './bulk.js'
import { CauseCount, type DeadLetterCauses } from './dead-letter-causes.js'
import { type DeadLetterFilter, demandNoTimes, idsOf, type LetterQueue } from './dead-letter-filter.js'
import { type Range, walk } from './dead-letter-walk.js'
import type { Ledger } from './ledger.js'
import { ascii, entryOf } from './ledger-entry.js'
import { OperationsError } from './operations-error.js'

/** A letter whose event the ledger has decided meanwhile is settled: everything here passes it over. Oldest first. */
export type DeadLetterOperations = {
  page: (filter: DeadLetterFilter, options: { cursor?: string | null; limit: number }) => Promise<Page<DeadLetter>>
  /** Those there are when it begins, in constant memory. */
  each: (filter: DeadLetterFilter) => AsyncIterable<DeadLetter>
  causes: (filter: DeadLetterFilter) => Promise<DeadLetterCauses>
  /** By the event's id, or by the svix-id that Clerk's dashboard shows. */
  show: (id: string) => Promise<DeadLetterDetails | null>
  /** Puts on record that somebody looked at the payload of this letter. */
  recordLook: (id: string, actor: string) => Promise<void>
  /** The same of all that match, before the first of them is shown; what it gives notes how many it were. */
  recordLooks: (filter: DeadLetterFilter, actor: string) => Promise<(shown: number) => Promise<void>>
  /** Moves the letters back to the queue as if they had never been tried; id and time of receipt stay. */
  replay: (filter: DeadLetterFilter, options: BulkOptions) => Promise<ReplayResult>
  /** Removes the letters for good; events are noted in the ledger as discarded. */
  discard: (filter: DeadLetterFilter, options: BulkOptions) => Promise<DiscardResult>
  /** Has events tried at once that failed and wait for their next try; each uses that try. They are no letters yet. */
  retryNow: (filter: DeadLetterFilter, options: BulkOptions) => Promise<RetryNowResult>
}

export function deadLetterOperations(
  letters: DeadLetters,
  ledger: Ledger,
  queue: LetterQueue = 'events',
): DeadLetterOperations {
  const pages = (filter: DeadLetterFilter, range: Range) => walk(letters, ledger, filter, range)
  const dead = { letters, sweep: letters.discard }
  return {
    async page(filter, { cursor = null, limit }) {
      const items: PlacedLetter[] = []
      for await (const found of pages(filter, { after: placeOf(cursor), upTo: null })) {
        for (const placed of found.letters) {
          const last = items.at(-1)
          if (last && items.length === limit) return { items: lettersOf(items), cursor: cursorOf(last.place) }
          items.push(placed)
        }
      }
      return { items: lettersOf(items), cursor: null }
    },
    async *each(filter) {
      const upTo = await letters.end()
      if (upTo) for await (const found of pages(filter, { after: null, upTo })) yield* lettersOf(found.letters)
    },
    async causes(filter) {
      const count = new CauseCount()
      for await (const found of pages(filter, { after: null, upTo: await letters.end() })) {
        for (const { letter } of found.letters) count.add(letter)
      }
      return count.result()
    },
    async show(id) {
      for (const eventId of idsOf(id)) {
        const letter = await letters.find(eventId)
        if (letter) return letter
      }
      return null
    },
    async recordLook(id, actor) {
      const action = { actor, action: 'look', subjectId: ascii(id, 64), details: null } as const
      const mirror = ledger.required
      await mirror.recordCounts(await mirror.beginAction(action), {}, true)
    },
    async recordLooks(filter, actor) {
      const mirror = ledger.required
      const actionId = await mirror.beginAction(actionOf({ action: 'look', queue, filter, actor }))
      return (shown) => mirror.recordCounts(actionId, { shown }, true)
    },
    async replay(filter, options) {
      const move = (some: readonly DeadLetter[]) => letters.replayMany(some.map(({ id }) => id))
      const { moved, ...counts } = await bulk(ledger, { action: 'replay', queue, filter, options, ...dead, move })
      return { ...counts, replayed: moved }
    },
    async discard(filter, options) {
      const move = async (some: readonly DeadLetter[]) => {
        // In the ledger first: an interruption leaves a letter that is on record and in the list, never one in neither.
        // Revived in that moment, it is decided anew, for `discarded` decides nothing.
        const events = queue === 'events' ? some.filter(({ id }) => ascii(id, 64) !== null) : []
        await ledger.required.recordDiscarded(events.map(entryOf))
        const isMoved = await Promise.all(some.map(({ id }) => letters.discard(id)))
        return isMoved.filter(Boolean).length
      }
      const { moved, ...counts } = await bulk(ledger, { action: 'discard', queue, filter, options, ...dead, move })
      return { ...counts, discarded: moved }
    },
    async retryNow(filter, options) {
      demandNoTimes(filter)
      const move = (some: readonly DeadLetter[]) => letters.retryNow(some.map(({ id }) => id))
      const request = { queue, filter, options, letters: letters.retrying, move }
      const { moved, ...counts } = await bulk(ledger, { action: 'retry-now', ...request })
      return { ...counts, retried: moved }
    },
  }
}

const lettersOf = (placed: readonly PlacedLetter[]): DeadLetter[] => placed.map(({ letter }) => letter)

const cursorOf = ({ partition, failedAtMs, id }: LetterPlace) => `${partition}:${failedAtMs}:${id}`

function placeOf(cursor: string | null): LetterPlace | null {
  if (cursor === null) return null
  const [, partition, failedAt, id] = /^(\d+):(\d+):(.+)$/s.exec(cursor) ?? []
  if (id === undefined) throw new OperationsError('invalid_cursor', 'The cursor is none that a page gave.')
  return { partition: Number(partition), failedAtMs: Number(failedAt), id }
}
