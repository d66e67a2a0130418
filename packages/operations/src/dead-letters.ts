import type {
  DeadLetter,
  DeadLetterCursor,
  DeadLetterDetails,
  DeadLetters,
  ListedDeadLetter,
} from '@clerk-mirror/queue/operate'
import type { Page } from './audit.js'
import { actionOf, type BulkOptions, bulk, type DiscardResult, type ReplayResult, type RetryNowResult } from './bulk.js'
import { CauseCount, type DeadLetterCauses } from './dead-letter-causes.js'
import { type DeadLetterFilter, type DeadLetterQueue, demandNoTimes, idsOf } from './dead-letter-filter.js'
import { type Range, walk } from './dead-letter-walk.js'
import type { Ledger } from './ledger.js'
import { ascii, entryOf } from './ledger-entry.js'
import { OperationsError } from './operations-error.js'

/**
 * A dead letter whose event the ledger has decided meanwhile is settled: everything here passes it over. Oldest first.
 */
export type DeadLetterOperations = {
  page: (filter: DeadLetterFilter, options: { cursor?: string | null; limit: number }) => Promise<Page<DeadLetter>>
  /** Those there are when it begins, in constant memory. */
  each: (filter: DeadLetterFilter) => AsyncIterable<DeadLetter>
  causes: (filter: DeadLetterFilter) => Promise<DeadLetterCauses>
  /** By the event's id, or by the svix-id that Clerk's dashboard shows. */
  show: (id: string) => Promise<DeadLetterDetails | null>
  /** Puts on record that somebody looked at the payload of this dead letter. */
  recordLook: (id: string, actor: string) => Promise<void>
  /** The same for all matching ones, before the first is shown; the returned function records their number. */
  recordLooks: (filter: DeadLetterFilter, actor: string) => Promise<(shown: number) => Promise<void>>
  /** Moves the dead letters back to the queue as if they had never been tried; id and time of receipt stay. */
  replay: (filter: DeadLetterFilter, options: BulkOptions) => Promise<ReplayResult>
  /** Removes the dead letters for good; events are noted in the ledger as discarded. */
  discard: (filter: DeadLetterFilter, options: BulkOptions) => Promise<DiscardResult>
  /**
   * Has events tried at once that failed and wait for their next try; each uses that try. They are no dead letters yet.
   */
  retryNow: (filter: DeadLetterFilter, options: BulkOptions) => Promise<RetryNowResult>
}

export function deadLetterOperations(
  deadLetters: DeadLetters,
  ledger: Ledger,
  queue: DeadLetterQueue = 'events',
): DeadLetterOperations {
  const pages = (filter: DeadLetterFilter, range: Range) => walk(deadLetters, ledger, filter, range)
  const dead = { deadLetters, sweep: deadLetters.discard }
  return {
    async page(filter, { cursor = null, limit }) {
      const items: ListedDeadLetter[] = []
      for await (const found of pages(filter, { after: placeOf(cursor), upTo: null })) {
        for (const placed of found.deadLetters) {
          const last = items.at(-1)
          if (last && items.length === limit) return { items: deadLettersOf(items), cursor: cursorOf(last.cursor) }
          items.push(placed)
        }
      }
      return { items: deadLettersOf(items), cursor: null }
    },
    async *each(filter) {
      const upTo = await deadLetters.end()
      if (upTo) for await (const found of pages(filter, { after: null, upTo })) yield* deadLettersOf(found.deadLetters)
    },
    async causes(filter) {
      const count = new CauseCount()
      for await (const found of pages(filter, { after: null, upTo: await deadLetters.end() })) {
        for (const { deadLetter } of found.deadLetters) count.add(deadLetter)
      }
      return count.result()
    },
    async show(id) {
      for (const eventId of idsOf(id)) {
        const deadLetter = await deadLetters.find(eventId)
        if (deadLetter) return deadLetter
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
      const move = (some: readonly DeadLetter[]) => deadLetters.replayMany(some.map(({ id }) => id))
      const { moved, ...counts } = await bulk(ledger, { action: 'replay', queue, filter, options, ...dead, move })
      return { ...counts, replayed: moved }
    },
    async discard(filter, options) {
      const move = async (some: readonly DeadLetter[]) => {
        // In the ledger first: an interruption leaves a dead letter that is on record and in the list, never one in
        // neither. Revived in that moment, it is decided anew, for `discarded` decides nothing.
        const events = queue === 'events' ? some.filter(({ id }) => ascii(id, 64) !== null) : []
        await ledger.required.recordDiscarded(events.map(entryOf))
        const isMoved = await Promise.all(some.map(({ id }) => deadLetters.discard(id)))
        return isMoved.filter(Boolean).length
      }
      const { moved, ...counts } = await bulk(ledger, { action: 'discard', queue, filter, options, ...dead, move })
      return { ...counts, discarded: moved }
    },
    async retryNow(filter, options) {
      demandNoTimes(filter)
      const move = (some: readonly DeadLetter[]) => deadLetters.retryNow(some.map(({ id }) => id))
      const request = { queue, filter, options, deadLetters: deadLetters.retrying, move }
      const { moved, ...counts } = await bulk(ledger, { action: 'retry-now', ...request })
      return { ...counts, retried: moved }
    },
  }
}

const deadLettersOf = (placed: readonly ListedDeadLetter[]): DeadLetter[] => placed.map(({ deadLetter }) => deadLetter)

const cursorOf = ({ partition, failedAtMs, id }: DeadLetterCursor) => `${partition}:${failedAtMs}:${id}`

function placeOf(cursor: string | null): DeadLetterCursor | null {
  if (cursor === null) return null
  const [, partition, failedAt, id] = /^(\d+):(\d+):(.+)$/s.exec(cursor) ?? []
  if (id === undefined) throw new OperationsError('invalid_cursor', 'The cursor is none that a page gave.')
  return { partition: Number(partition), failedAtMs: Number(failedAt), id }
}
