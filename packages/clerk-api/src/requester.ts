import { setTimeout as wait } from 'node:timers/promises'
import { ClerkApiError } from './clerk-api-error.js'
import type { Http, HttpAnswer } from './http.js'
import type { Pacer } from './pacer.js'
import { refusalOf } from './refusal.js'
import type { RetryPolicy } from './retry-policy.js'

/** Hooks for a caller that counts or shows requests. */
export type ApiNotice =
  | { kind: 'answered'; endpoint: string; status: number; ms: number }
  /** The endpoint rests, and all requests are sent at the rate named from now on. */
  | { kind: 'throttled'; endpoint: string; restMs: number; requestsPerSecond: number }
  /** The same request follows after a delay. */
  | { kind: 'retried'; endpoint: string; attempt: number; reason: string; delayMs: number }

export type ApiRequest<T> = {
  /** The path without ids: Clerk throttles by it, and messages name it. */
  endpoint: string
  path: string
  signal: AbortSignal
  /** The answer's text as a value. @throws when it is none, and the request is sent again. */
  parse: (text: string) => T
}

export type ApiAnswer<T> =
  | { kind: 'value'; value: T; dateMs: number }
  /** Clerk knows no such object. */
  | { kind: 'absent' }
  | { kind: 'too-large' }

export type RequesterOptions = {
  http: Http
  pacer: () => Promise<Pacer>
  retryPolicy: RetryPolicy
  observer: (notice: ApiNotice) => void
}

type Tries = { failed: number; throttled: number }

/** Sends requests at the common rate, and again as long as that may help. */
export class Requester {
  readonly #options: RequesterOptions
  /** Until when each endpoint rests. */
  readonly #restsUntilMs = new Map<string, number>()

  constructor(options: RequesterOptions) {
    this.#options = options
  }

  /** @throws ClerkApiError, or the signal's reason. */
  async get<T>(request: ApiRequest<T>): Promise<ApiAnswer<T>> {
    const pacer = await this.#options.pacer()
    const tries: Tries = { failed: 0, throttled: 0 }
    for (;;) {
      const sentAtMs = await this.#turn(pacer, request)
      const answer = await this.#options.http.get(request.path, request.signal)
      const judged = this.#judge(request, answer, sentAtMs)
      if (judged.kind === 'throttled') this.#rest(pacer, request, tries, { sentAtMs, asked: judged.retryAfter })
      else if (judged.kind === 'failed') await this.#delay(request, tries, judged.reason)
      else return judged
    }
  }

  /** Waits until the endpoint takes requests and the rate grants one; returns the time then. */
  async #turn(pacer: Pacer, { endpoint, signal }: ApiRequest<unknown>): Promise<number> {
    for (;;) {
      const restMs = (this.#restsUntilMs.get(endpoint) ?? 0) - performance.now()
      if (restMs > 0) await wait(restMs, undefined, { signal })
      await pacer.turn(signal)
      // Another request may have been throttled meanwhile.
      if ((this.#restsUntilMs.get(endpoint) ?? 0) <= performance.now()) return performance.now()
    }
  }

  #judge<T>({ endpoint, parse }: ApiRequest<T>, answer: HttpAnswer, sentAtMs: number): Judged<T> {
    if (answer.kind !== 'answered') return answer
    const { status, text, dateMs, retryAfter } = answer
    this.#options.observer({ kind: 'answered', endpoint, status, ms: performance.now() - sentAtMs })
    if (status === TOO_MANY_REQUESTS) return { kind: 'throttled', retryAfter }
    if (status >= 500 || status === REQUEST_TIMEOUT) return { kind: 'failed', reason: `status ${status}` }
    if (status !== OK) return refusalOf(endpoint, status, text)
    try {
      return { kind: 'value', value: parse(text), dateMs }
    } catch {
      return { kind: 'failed', reason: 'an answer that is cut short or is none of Clerk' }
    }
  }

  #rest(pacer: Pacer, { endpoint }: ApiRequest<unknown>, tries: Tries, last: Throttled): void {
    const { retryPolicy, observer } = this.#options
    tries.throttled += 1
    if (tries.throttled >= retryPolicy.throttledTries) throw unavailable(endpoint, 'too many answers of 429')
    const growingMs = retryPolicy.throttledFirstMs * 2 ** (tries.throttled - 1)
    const restMs = Math.min(secondsAsMs(last.asked) ?? jittered(growingMs), retryPolicy.throttledMaxMs)
    pacer.halve(last.sentAtMs)
    this.#restsUntilMs.set(endpoint, Math.max(this.#restsUntilMs.get(endpoint) ?? 0, performance.now() + restMs))
    observer({ kind: 'throttled', endpoint, restMs, requestsPerSecond: pacer.requestsPerSecond })
  }

  async #delay({ endpoint, signal }: ApiRequest<unknown>, tries: Tries, reason: string): Promise<void> {
    const { retryPolicy, observer } = this.#options
    tries.failed += 1
    if (tries.failed >= retryPolicy.tries) throw unavailable(endpoint, `${reason}, ${tries.failed} times`)
    const delayMs = jittered(Math.min(retryPolicy.retryFirstMs * 2 ** (tries.failed - 1), retryPolicy.retryMaxMs))
    observer({ kind: 'retried', endpoint, attempt: tries.failed, reason, delayMs })
    await wait(delayMs, undefined, { signal })
  }
}

type Judged<T> =
  | ApiAnswer<T>
  | { kind: 'failed'; reason: string }
  | { kind: 'throttled'; retryAfter: string | undefined }

type Throttled = { sentAtMs: number; asked: string | undefined }

const OK = 200
const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429

const unavailable = (endpoint: string, reason: string) =>
  new ClerkApiError('clerk_api_unavailable', `Clerk's API gives no answer at ${endpoint}: ${reason}`)

/** Clerk's Retry-After is in seconds. */
const secondsAsMs = (text: string | undefined) => (/^\d{1,9}$/.test(text ?? '') ? Number(text) * 1_000 : undefined)

/** Between three quarters and all of it, so that clients that failed together do not come back together. */
const jittered = (ms: number) => ms * (0.75 + Math.random() / 4)
