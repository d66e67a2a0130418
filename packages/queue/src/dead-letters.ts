import type { Envelope } from '@clerk-mirror/events'
import { connectOperator, type RedisClient } from './connection.js'
import type { Partition } from './partitions.js'
import { PAGE, STREAM_LENGTH } from './policy.js'
import { type Reason, readReason } from './reason.js'
import type { RedisTarget } from './redis-url.js'
import { SCRIPT_KEYS, withScripts } from './scripts.js'
import { envelopeOf } from './stored-job.js'

/** An event that was given up, with why. Times in ms. */
export type DeadLetter = {
  id: string
  type: string
  objectId: string | null
  reason: Reason
  attempts: number
  receivedAtMs: number
  failedAtMs: number
}

/** The envelope is null for a job that holds none: something else put it into the queue, or its body is lost. */
export type DeadLetterDetails = DeadLetter & { envelope: Envelope | null; stack: string | null }

export type DeadLetters = Disposable & {
  /** Oldest first, a page at a time, in constant memory. @throws when Redis does not answer. */
  list: () => AsyncIterable<DeadLetter>
  /** Null when there is no dead letter of that event. */
  find: (eventId: string) => Promise<DeadLetterDetails | null>
  /** Moves a letter back, as if it had never been tried. False when it is no dead letter (any more). */
  replay: (eventId: string) => Promise<boolean>
}

/** The operators' side of the queue: the failed set of the events queue is the dead-letter queue. */
export async function openDeadLetters(target: RedisTarget, list: readonly Partition[]): Promise<DeadLetters> {
  const client = await connectOperator(target)
  const scripted = withScripts(client)
  return {
    async *list() {
      for (const partition of list) yield* lettersOf(partition, client)
    },
    async find(eventId) {
      for (const { key } of list) {
        const failedAt = await client.zscore(key('failed'), eventId)
        if (failedAt) return detailsOf(eventId, Number(failedAt), await client.hgetall(key(eventId)))
      }
      return null
    },
    async replay(eventId) {
      for (const { key } of list) {
        const keys = [...SCRIPT_KEYS.map(key), key(eventId)]
        if ((await scripted.clerkReplay(...keys, eventId, STREAM_LENGTH)) === 1) return true
      }
      return false
    },
    [Symbol.dispose]: () => client.disconnect(),
  }
}

/** Pages by score and id, so that letters which go or come meanwhile neither hide nor repeat others. */
async function* lettersOf({ key }: Partition, client: RedisClient): AsyncGenerator<DeadLetter> {
  const seen = new Set<string>()
  let from = '-inf'
  for (;;) {
    const page = await client.zrange(key('failed'), from, '+inf', 'BYSCORE', 'LIMIT', 0, PAGE + seen.size, 'WITHSCORES')
    const entries = pairs(page as unknown[]).filter(([id]) => !seen.has(id))
    if (entries.length === 0) return
    const jobs = await Promise.all(entries.map(([id]) => client.hgetall(key(id))))
    for (const [index, [id, failedAt]] of entries.entries()) {
      yield withoutEnvelope(detailsOf(id, Number(failedAt), jobs[index] ?? {}))
    }
    const last = entries.at(-1)?.[1] ?? from
    if (last !== from) seen.clear()
    for (const [id, score] of entries) if (score === last) seen.add(id)
    from = last
  }
}

/** RESP3 answers with pairs, RESP2 with a flat list. */
function pairs(answer: unknown[]): [string, string][] {
  if (Array.isArray(answer[0])) return answer.map((pair) => (pair as unknown[]).map(String) as [string, string])
  return answer.flatMap((id, index) => (index % 2 === 0 ? [[String(id), String(answer[index + 1])]] : []))
}

function withoutEnvelope({ envelope: _, stack: __, ...letter }: DeadLetterDetails): DeadLetter {
  return letter
}

function detailsOf(id: string, failedAtMs: number, job: Record<string, string>): DeadLetterDetails {
  const receivedAtMs = Number(job['timestamp'] ?? 0)
  const envelope = envelopeOf(id, job['name'], receivedAtMs, parse(job['data']))
  const stacks = parse(job['stacktrace'])
  return {
    id,
    type: job['name'] ?? '',
    objectId: envelope?.objectId ?? null,
    reason: readReason(job['failedReason'] ?? ''),
    attempts: Number(job['atm'] ?? 0),
    receivedAtMs,
    failedAtMs,
    envelope,
    stack: Array.isArray(stacks) ? String(stacks.at(-1) ?? '') || null : null,
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}
