import type { EventSource } from '@clerk-mirror/events'
import { connectOperator } from './connection.js'
import { type EnvelopeKeys, NO_KEYS } from './envelope-keys.js'
import { oneAtATime } from './in-turn.js'
import { inOrder, isBehind, type LetterPlace, merged, startIn } from './letter-order.js'
import { type LetterRow, withLetterScripts } from './letter-scripts.js'
import type { Partition, Partitions } from './partitions.js'
import { AMONG_MAX, PAGE, SCRIPT_BYTES_MAX, STREAM_LENGTH } from './policy.js'
import { asked } from './queue-unavailable.js'
import { type Reason, readReason } from './reason.js'
import type { RedisTarget } from './redis-url.js'
import { SCRIPT_KEYS, withScripts } from './scripts.js'
import { envelopeOf, parsedField, type StoredEnvelope } from './stored-job.js'

/** An event that was given up, with why. Times in ms. */
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
}

/** The envelope is null for a job that holds none: something else put it into the queue, or its body is lost. */
export type DeadLetterDetails = DeadLetter & { envelope: StoredEnvelope | null; stack: string | null }

export type PlacedLetter = { letter: DeadLetter; place: LetterPlace }

/** All of it throws QueueUnavailable when Redis does not answer. */
export type DeadLetters = Disposable & {
  /** Oldest first, in constant memory. Those there are when it begins; what dies meanwhile is left for the next time. */
  list: () => AsyncIterable<DeadLetter>
  /** The next letters behind a place, at most a page of them; none at the end. */
  next: (after: LetterPlace | null) => Promise<PlacedLetter[]>
  /** Where the list ends now; null when it is empty. */
  end: () => Promise<LetterPlace | null>
  /** Those of these events that are dead letters, in the order of the list. */
  among: (eventIds: readonly string[]) => Promise<PlacedLetter[]>
  /** Null when there is no dead letter of that event. */
  find: (eventId: string) => Promise<DeadLetterDetails | null>
  /** Moves a letter back, as if it had never been tried. False when it is no dead letter (any more). */
  replay: (eventId: string) => Promise<boolean>
  /** The same for many at once, some 20 µs of Redis each; how many were moved. */
  replayMany: (eventIds: readonly string[]) => Promise<number>
  /** Removes a letter. False when it is no dead letter (any more): what was revived meanwhile stays. */
  discard: (eventId: string) => Promise<boolean>
}

/** The operators' side of the queue: the failed set of a queue is its dead-letter queue. */
export async function openDeadLetters(
  target: RedisTarget,
  list: Partitions,
  keys: EnvelopeKeys = NO_KEYS,
): Promise<DeadLetters> {
  const client = withLetterScripts(withScripts(await connectOperator(target)))
  const inTurn = oneAtATime()
  /** An event may have died in two partitions: both letters are moved. */
  const everywhere = async (move: (partition: Partition) => Promise<unknown>) =>
    (await asked(Promise.all([...list].map(move)))).includes(1)
  const next = async (after: LetterPlace | null): Promise<PlacedLetter[]> => {
    const parts = [...list]
    const share = [Math.ceil(PAGE / parts.length), Math.ceil(SCRIPT_BYTES_MAX / parts.length)] as const
    const page = async ({ key }: Partition, index: number) => {
      const [rows, more] = await client.clerkLetters(key('failed'), key(''), ...startIn(index, after), ...share)
      return { letters: rows.map((row) => placed(row, index)), hasMore: more === 1 }
    }
    return merged(await inTurn(() => asked(Promise.all(parts.map(page)))))
  }
  const end = async (): Promise<LetterPlace | null> => {
    const ends = [...list].map(async ({ key }, partition): Promise<LetterPlace | null> => {
      // RESP3 answers with pairs, RESP2 with a flat list.
      const last: unknown[] = await client.zrange(key('failed'), '-1', '-1', 'WITHSCORES')
      const [id, score] = last.flat()
      return id === undefined ? null : { partition, failedAtMs: Number(score), id: String(id) }
    })
    const found = (await asked(Promise.all(ends))).filter((place) => place !== null)
    return found.reduce<LetterPlace | null>((last, place) => (last && isBehind(last, place) ? last : place), null)
  }
  return {
    next,
    end,
    list: () => listOf(next, end),
    async among(eventIds) {
      const found: PlacedLetter[] = []
      for (let from = 0; from < eventIds.length; from += AMONG_MAX) {
        const ids = eventIds.slice(from, from + AMONG_MAX)
        for (const [index, { key }] of [...list].entries()) {
          for (let looked = 0; looked < ids.length; ) {
            const rest = ids.slice(looked)
            const [rows, count] = await inTurn(() =>
              asked(client.clerkLettersAmong(key('failed'), key(''), SCRIPT_BYTES_MAX, ...rest)),
            )
            found.push(...rows.map((row) => placed(row, index)))
            looked += count
          }
        }
      }
      return found.sort(inOrder)
    },
    async find(eventId) {
      for (const { key } of list) {
        const failedAt = await asked(client.zscore(key('failed'), eventId))
        if (failedAt) return detailsOf(eventId, Number(failedAt), await asked(client.hgetall(key(eventId))), keys)
      }
      return null
    },
    replay: (eventId) =>
      everywhere(({ key }) => client.clerkReplay(...SCRIPT_KEYS.map(key), key(eventId), eventId, STREAM_LENGTH)),
    async replayMany(eventIds) {
      let moved = 0
      for (const { key } of list) {
        const queueKeys = [...SCRIPT_KEYS.map(key), key(eventIds[0] ?? '')]
        moved += Number(await asked(client.clerkReplayMany(...queueKeys, '', STREAM_LENGTH, key(''), ...eventIds)))
      }
      return moved
    },
    discard: (eventId) =>
      everywhere(({ key }) =>
        client.clerkDiscard(
          ...[key('failed'), key('events'), key(eventId), key(`${eventId}:logs`)],
          ...[eventId, STREAM_LENGTH],
        ),
      ),
    [Symbol.dispose]: () => client.disconnect(),
  }
}

async function* listOf(next: DeadLetters['next'], end: DeadLetters['end']): AsyncGenerator<DeadLetter> {
  const last = await end()
  let page = last === null ? [] : await next(null)
  for (let final = page.at(-1); final && last; final = page.at(-1)) {
    for (const { letter, place } of page) {
      if (isBehind(place, last)) return
      yield letter
    }
    page = await next(final.place)
  }
}

function placed(row: LetterRow, partition: number): PlacedLetter {
  const [id, score, name, timestamp, attempts, reason, objectId, instanceId, source] = row
  const failedAtMs = Number(score)
  const letter: DeadLetter = {
    id,
    type: name ?? '',
    objectId: objectId ?? null,
    instanceId: instanceId ?? null,
    source: sourceOf(source),
    reason: readReason(reason ?? ''),
    attempts: Number(attempts ?? 0),
    receivedAtMs: Number(timestamp ?? 0),
    failedAtMs,
  }
  return { letter, place: { partition, failedAtMs, id } }
}

const sourceOf = (text: unknown): EventSource => (text === 'backfill' || text === 'reconcile' ? text : 'clerk')

function detailsOf(id: string, failedAtMs: number, job: Record<string, string>, keys: EnvelopeKeys): DeadLetterDetails {
  const receivedAtMs = Number(job['timestamp'] ?? 0)
  const envelope = envelopeOf(id, job['name'], receivedAtMs, parsedField(job['data']), keys)
  const stacks = parsedField(job['stacktrace'])
  return {
    id,
    type: job['name'] ?? '',
    objectId: envelope?.objectId ?? null,
    instanceId: envelope?.instanceId ?? null,
    source: sourceOf(envelope?.source),
    reason: readReason(job['failedReason'] ?? ''),
    attempts: Number(job['atm'] ?? 0),
    receivedAtMs,
    failedAtMs,
    envelope,
    stack: Array.isArray(stacks) ? String(stacks.at(-1) ?? '') || null : null,
  }
}
