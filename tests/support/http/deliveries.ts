import { setTimeout as pause } from 'node:timers/promises'
import { type Delivery, history } from '@clerk-mirror/devstack'
import { Webhook } from 'svix'

/** The answer to one delivery, as its sender sees it. */
export type Answer = { eventId: string; status: number; body: unknown; retryAfter: string | null; tookMs: number }

/** Webhooks go to `url`, signed with the secret. */
export type IngestTarget = { url: string; secret: string }

/** So long a sender waits before it sends a refused event again. */
const RETRY_MS = 50
/** Svix waits for 15 s; a busy machine gets fourfold slack. */
const ANSWER_WITHIN_MS = 60_000

/** Sign-ups of so many people, one event each; another seed gives other people. */
export const signUps = (seed: number, users: number): Delivery[] =>
  history({ seed, users, updates: 0, deletes: 0 }).deliveries

/** One signed delivery. Throws when it is not answered at all. */
export async function post(
  { url, secret }: IngestTarget,
  { eventId, body }: Pick<Delivery, 'eventId' | 'body'>,
): Promise<Answer> {
  const now = new Date()
  const headers = {
    'content-type': 'application/json',
    'svix-id': eventId,
    'svix-timestamp': String(Math.floor(now.getTime() / 1000)),
    'svix-signature': new Webhook(secret).sign(eventId, now, body),
  }
  const startedMs = performance.now()
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
  const response = await fetch(`${url}/webhooks/clerk`, { method: 'POST', headers, body, signal })
  const answer = await response.json()
  const tookMs = performance.now() - startedMs
  return { eventId, status: response.status, body: answer, retryAfter: response.headers.get('retry-after'), tookMs }
}

/** Traffic that goes on while the test does something else. */
export type Pour = {
  /** Every answer so far. */
  answers: Answer[]
  /** Resolves when each delivery was taken in the end. */
  done: Promise<void>
}

/** Sends all deliveries, so many at once, and repeats those with a 503 until they are accepted. */
export function pour(target: IngestTarget, deliveries: readonly Delivery[], lanes = 16): Pour {
  const answers: Answer[] = []
  const queue = deliveries.values()
  const lane = async () => {
    for (const delivery of queue) {
      let answer = await post(target, delivery)
      answers.push(answer)
      while (answer.status === 503) {
        await pause(RETRY_MS)
        answer = await post(target, delivery)
        answers.push(answer)
      }
    }
  }
  const done = Promise.all(Array.from({ length: lanes }, lane)).then(() => {})
  done.catch(() => {}) // until the test awaits it
  return { answers, done }
}

export const taken = (answers: readonly Answer[]) => answers.filter((answer) => answer.status === 202)
export const refused = (answers: readonly Answer[]) => answers.filter((answer) => answer.status !== 202)
