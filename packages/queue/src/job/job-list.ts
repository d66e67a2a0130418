import type { EventSource } from '@clerk-mirror/events'
import { AMONG_MAX, PAGE, SCRIPT_BYTES_MAX } from '../limits.js'
import type { DeadLetterRow, DeadLetterScripts } from '../lua/dead-letter-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'
import { oneAtATime } from '../redis/one-at-a-time.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import { comesAfter, type DeadLetterCursor, inOrder, merged, startIn } from './dead-letter-order.js'
import { type Reason, readReason } from './failure-reason.js'

/** An event that was given up, with the reason. Times in ms. */
export type DeadLetter = {
  id: string
  type: string
  objectId: string | null
  instanceId: string | null
  source: EventSource
  reason: Reason
  attempts: number
  receivedAtMs: number
  failedAtMs: number
  /** Of class `killer`, without a record of the workers that died while they ran it alone. */
  isUnproven: boolean
}

export type ListedDeadLetter = { deadLetter: DeadLetter; cursor: DeadLetterCursor }

/** Jobs of one state, a page at a time. Every method throws QueueUnavailable when Redis does not answer. */
export type JobList = {
  /** The next jobs after a cursor, at most a page of them; none at the end. */
  next: (after: DeadLetterCursor | null) => Promise<ListedDeadLetter[]>
  /** The cursor of the last job now; null when the list is empty. */
  end: () => Promise<DeadLetterCursor | null>
  /** The listed ones among these events, in the order of the list. */
  among: (eventIds: readonly string[]) => Promise<ListedDeadLetter[]>
}

/**
 * The jobs of one of BullMQ's sorted sets, in its order: `failed` holds the dead letters by the time of their failure,
 * `delayed` holds the events that wait for their next try by its due time. In the latter, `failedAtMs` is a position in
 * the list and no time.
 */
export function jobList(client: RedisClient & DeadLetterScripts, list: Partitions, set: 'failed' | 'delayed'): JobList {
  const oneByOne = oneAtATime()
  return {
    async next(after) {
      const parts = [...list]
      const share = [Math.ceil(PAGE / parts.length), Math.ceil(SCRIPT_BYTES_MAX / parts.length)] as const
      const page = async ({ key }: Partition, index: number) => {
        const [rows, more] = await client.clerkDeadLetters(key(set), key(''), ...startIn(index, after), ...share)
        return { deadLetters: rows.map((row) => listed(row, index)), hasMore: more === 1 }
      }
      return merged(await oneByOne(() => asQueueUnavailable(Promise.all(parts.map(page)))))
    },
    async end() {
      const ends = [...list].map(async ({ key }, partition): Promise<DeadLetterCursor | null> => {
        // RESP3 answers with pairs, RESP2 with a flat list.
        const last: unknown[] = await client.zrange(key(set), '-1', '-1', 'WITHSCORES')
        const [id, score] = last.flat()
        return id === undefined ? null : { partition, failedAtMs: Number(score), id: String(id) }
      })
      const found = (await asQueueUnavailable(Promise.all(ends))).filter((place) => place !== null)
      return found.reduce<DeadLetterCursor | null>(
        (last, place) => (last && comesAfter(last, place) ? last : place),
        null,
      )
    },
    async among(eventIds) {
      const found: ListedDeadLetter[] = []
      for (let from = 0; from < eventIds.length; from += AMONG_MAX) {
        const ids = eventIds.slice(from, from + AMONG_MAX)
        for (const [index, { key }] of [...list].entries()) {
          for (let looked = 0; looked < ids.length; ) {
            const rest = ids.slice(looked)
            const [rows, count] = await oneByOne(() =>
              asQueueUnavailable(client.clerkDeadLettersAmong(key(set), key(''), SCRIPT_BYTES_MAX, ...rest)),
            )
            found.push(...rows.map((row) => listed(row, index)))
            looked += count
          }
        }
      }
      return found.sort(inOrder)
    },
  }
}

function listed(row: DeadLetterRow, partition: number): ListedDeadLetter {
  const [id, score, name, timestamp, attempts, reasonText, objectId, instanceId, source, crashRecord] = row
  const failedAtMs = Number(score)
  const reason = readReason(reasonText ?? '')
  const deadLetter: DeadLetter = {
    id,
    type: name ?? '',
    objectId: objectId ?? null,
    instanceId: instanceId ?? null,
    source: sourceOf(source),
    reason,
    attempts: Number(attempts ?? 0),
    receivedAtMs: Number(timestamp ?? 0),
    failedAtMs,
    isUnproven: isUnproven(reason, crashRecord),
  }
  return { deadLetter, cursor: { partition, failedAtMs, id } }
}

export const isUnproven = (reason: Reason, crashRecord: string | null | undefined): boolean =>
  reason.class === 'killer' && !crashRecord

export const sourceOf = (text: unknown): EventSource => (text === 'backfill' || text === 'reconcile' ? text : 'clerk')
