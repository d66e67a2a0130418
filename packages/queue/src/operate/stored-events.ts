import { Cluster } from 'ioredis'
import { type EnvelopeKeys, NO_KEYS } from '../job/encryption-keys.js'
import { EVENT_FIELDS, type JobEvent, type JobFields, readJob } from '../job/read-job.js'
import { SCRIPT_BYTES_MAX, SEARCH_PAGE, STREAM_LENGTH } from '../limits.js'
import { type JobScripts, REMOVE_KEYS, withJobScripts } from '../lua/job-scripts.js'
import type { Partition, Partitions } from '../partitions.js'
import { connectOperator, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'

/** An event in the queue, in any state. Time in ms. */
export type StoredEvent = Omit<JobEvent, 'reason'> & {
  /** Everything stored of it except its history, and the text of its encrypted body where the key is present. */
  text: string
}

/**
 * The state of an event at its removal; `active` was not removed, because a worker has it, and `gone` had left before.
 */
export type RemovedFrom = 'waiting' | 'delayed' | 'dead' | 'kept' | 'active' | 'gone'

export type SearchOptions = {
  /** Ends the search early. */
  signal?: AbortSignal
  /** Searches encrypted bodies too, which takes longer. Bodies that cannot be decrypted are all yielded. */
  decrypting?: boolean
}

export type StoredEvents = Disposable & {
  /**
   * Events with one of these texts in their stored text, in any state, each once or more often. Upper and lower case of
   * ASCII letters count as the same. Misses none that is in the queue from begin to end, however often it changes its
   * state meanwhile. @throws QueueUnavailable
   */
  containing: (texts: readonly string[], options?: SearchOptions) => AsyncIterable<StoredEvent>
  /** Removes an event, unless a worker has it. Two calls at once do no harm. */
  remove: (eventId: string) => Promise<RemovedFrom>
}

/** Search for events by their content, for operators. @throws when Redis cannot be reached. */
export async function openStoredEvents(
  target: RedisTarget,
  list: Partitions,
  keys: EnvelopeKeys = NO_KEYS,
): Promise<StoredEvents> {
  const client = withJobScripts(await connectOperator(target))
  return {
    async *containing(texts, options = {}) {
      const fragments = texts.map(lowerAscii)
      for await (const event of search(client, [...list], fragments, options, keys)) {
        const text = lowerAscii(event.text)
        const isFound = fragments.some((fragment) => text.includes(fragment))
        if (isFound || typeof event.envelope?.body === 'object') yield event
      }
    },
    async remove(eventId) {
      const removals = [...list].map(({ key }) => {
        const queueKeys = [...REMOVE_KEYS.map(key), key(eventId), key(`${eventId}:logs`)]
        return client.clerkRemove(...queueKeys, eventId, STREAM_LENGTH)
      })
      // An event may be in two partitions; while a worker has one of them, it is not removed.
      const states = (await asQueueUnavailable(Promise.all(removals)))
        .map(String)
        .filter((state) => state !== 'unknown')
      const state = states.find((each) => each === 'active') ?? states[0]
      return state === undefined ? 'gone' : (REMOVED_FROM[state] ?? 'kept')
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}

/** As Lua's `string.lower` does in Redis, which knows ASCII letters only. */
const lowerAscii = (text: string) => text.replace(/[A-Z]+/g, (deadLetters) => deadLetters.toLowerCase())

/** By BullMQ's names. Jobs of other states, such as `completed`, are kept on purpose and do not run. */
const REMOVED_FROM: Readonly<Record<string, RemovedFrom>> = {
  active: 'active',
  delayed: 'delayed',
  failed: 'dead',
  prioritized: 'waiting',
  wait: 'waiting',
}

/**
 * By key and not by state: an event keeps its key when it changes its state, where a walk through the states could miss
 * it, and SCAN guarantees every key that exists throughout.
 */
async function* search(
  client: RedisClient & JobScripts,
  list: readonly Partition[],
  fragments: readonly string[],
  { signal, decrypting = false }: SearchOptions,
  envelopeKeys: EnvelopeKeys,
): AsyncGenerator<StoredEvent> {
  if (list.length === 0) return
  const starts = list.map(({ key }) => key(''))
  // All partitions in one walk: each node has keys of several, and a walk reads every key of a node.
  const pattern = starts.length === 1 ? `${starts[0]}*` : `*:${list[0]?.queue}:*`
  for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
    let cursor = '0'
    do {
      if (signal?.aborted) return
      const [next, keys] = await asQueueUnavailable(node.scan(cursor, 'MATCH', pattern, 'COUNT', SEARCH_PAGE))
      cursor = next
      for (const start of starts) {
        let ours = keys.filter((key) => key.startsWith(start))
        while (ours.length > 0) {
          const wanted = [SCRIPT_BYTES_MAX, decrypting ? 1 : 0, ...fragments]
          const [looked, found] = await asQueueUnavailable(client.clerkContaining(ours.length, ...ours, ...wanted))
          for (const jobKey of found) {
            const event = await asQueueUnavailable(readEvent(client, jobKey, jobKey.slice(start.length), envelopeKeys))
            if (event) yield event
          }
          ours = ours.slice(looked)
        }
      }
    } while (cursor !== '0')
  }
}

/** Null when it has left since then. */
async function readEvent(
  client: RedisClient,
  jobKey: string,
  id: string,
  keys: EnvelopeKeys,
): Promise<StoredEvent | null> {
  const values = await client.hmget(jobKey, ...EVENT_FIELDS)
  const fields: JobFields = Object.fromEntries(EVENT_FIELDS.map((name, index) => [name, values[index]]))
  const data = fields['data']
  if (!data) return null
  const { reason: _, ...event } = readJob(id, fields, keys)
  const body = event.envelope?.body
  // A clear body is part of the data already.
  return { ...event, text: typeof body === 'string' ? `${data} ${body}` : data }
}
