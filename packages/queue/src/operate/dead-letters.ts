import { comesAfter } from '../job/dead-letter-order.js'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { readReason } from '../job/failure-reason.js'
import { type DeadLetter, isUnproven, type JobList, jobList, sourceOf } from '../job/job-list.js'
import { parsedField, type StoredEnvelope } from '../job/queue-job.js'
import { readJob } from '../job/read-job.js'
import { STREAM_LENGTH } from '../limits.js'
import { withDeadLetterScripts } from '../lua/dead-letter-scripts.js'
import { SCRIPT_KEYS, withJobScripts } from '../lua/job-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { connectOperator } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'

/** The envelope is null for a job without one: another program put it into the queue, or its body is lost. */
export type DeadLetterDetails = DeadLetter & { envelope: StoredEnvelope | null; stack: string | null }

/** Every method throws QueueUnavailable when Redis does not answer. */
export type DeadLetters = Disposable &
  JobList & {
    /** Oldest first, in constant memory. Those that exist when it begins; later ones are left for the next time. */
    list: () => AsyncIterable<DeadLetter>
    /** Null without a dead letter of that event. */
    find: (eventId: string) => Promise<DeadLetterDetails | null>
    /** Moves a dead letter back, as if it had never been tried. False when it is not a dead letter (any more). */
    replay: (eventId: string) => Promise<boolean>
    /** The same for many at once, at some 20 µs of Redis each; returns the number of moved ones. */
    replayMany: (eventIds: readonly string[]) => Promise<number>
    /** Removes a dead letter. False when it is no dead letter (any more): an event that was revived meanwhile stays. */
    discard: (eventId: string) => Promise<boolean>
    /** The events that failed and wait for their next try, the earliest due first. */
    retrying: JobList
    /**
     * Queues the ones among these events that wait for their next try; returns the number of moved ones. Their attempts
     * stay.
     */
    retryNow: (eventIds: readonly string[]) => Promise<number>
  }

/** The operators' side of the queue: the failed set of a queue is its dead-letter queue. */
export async function openDeadLetters(
  target: RedisTarget,
  list: Partitions,
  keys: EnvelopeKeys = NO_KEYS,
): Promise<DeadLetters> {
  const client = withDeadLetterScripts(withJobScripts(await connectOperator(target)))
  const deadLetters = jobList(client, list, 'failed')
  /** An event may have a dead letter in two partitions: both are moved. */
  const everywhere = async (move: (partition: Partition) => Promise<unknown>) =>
    (await asQueueUnavailable(Promise.all([...list].map(move)))).includes(1)
  return {
    ...deadLetters,
    list: () => listOf(deadLetters),
    retrying: jobList(client, list, 'delayed'),
    async find(eventId) {
      for (const { key } of list) {
        const failedAt = await asQueueUnavailable(client.zscore(key('failed'), eventId))
        if (failedAt)
          return detailsOf(eventId, Number(failedAt), await asQueueUnavailable(client.hgetall(key(eventId))), keys)
      }
      return null
    },
    replay: (eventId) =>
      everywhere(({ key }) => client.clerkReplay(...SCRIPT_KEYS.map(key), key(eventId), eventId, STREAM_LENGTH)),
    async replayMany(eventIds) {
      let moved = 0
      for (const { key } of list) {
        const queueKeys = [...SCRIPT_KEYS.map(key), key(eventIds[0] ?? '')]
        moved += Number(
          await asQueueUnavailable(client.clerkReplayMany(...queueKeys, '', STREAM_LENGTH, key(''), ...eventIds)),
        )
      }
      return moved
    },
    async retryNow(eventIds) {
      let moved = 0
      for (const { key } of list) {
        const queueKeys = [...SCRIPT_KEYS, 'delayed'].map(key)
        moved += Number(
          await asQueueUnavailable(client.clerkRetryNow(...queueKeys, '', STREAM_LENGTH, key(''), ...eventIds)),
        )
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

async function* listOf({ next, end }: JobList): AsyncGenerator<DeadLetter> {
  const last = await end()
  let page = last === null ? [] : await next(null)
  for (let final = page.at(-1); final && last; final = page.at(-1)) {
    for (const { deadLetter, cursor } of page) {
      if (comesAfter(cursor, last)) return
      yield deadLetter
    }
    page = await next(final.cursor)
  }
}

function detailsOf(id: string, failedAtMs: number, job: Record<string, string>, keys: EnvelopeKeys): DeadLetterDetails {
  const event = readJob(id, job, keys)
  const reason = event.reason ?? readReason('')
  const stacks = parsedField(job['stacktrace'])
  return {
    ...event,
    objectId: event.envelope?.objectId ?? null,
    instanceId: event.envelope?.instanceId ?? null,
    source: sourceOf(event.envelope?.source),
    reason,
    failedAtMs,
    isUnproven: isUnproven(reason, job['struckBy']),
    stack: Array.isArray(stacks) ? String(stacks.at(-1) ?? '') || null : null,
  }
}
