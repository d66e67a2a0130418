import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { Webhook } from 'svix'
import type { Delivery } from './traffic.js'

export interface SendOptions {
  /** The full address, `http://…/webhooks/clerk`. */
  url: string
  /** `whsec_…` */
  signingSecret: string
  /** Deliveries in flight. */
  concurrency: number
  /** Deliveries begun per second at most; unlimited without it. */
  rate?: number
  /** When aborted, deliveries in flight are finished, and no further ones begin. */
  signal: AbortSignal
  onDelivered: (delivered: number, retries: number) => void
}

export interface SendReport {
  /** Answered with 2xx, and not ignored. */
  accepted: number
  /** Tries that were answered 429 or 5xx, or not at all, and made again. */
  retries: number
  /** Given up, with the last answer as text. The first one ends the run: another try would not change the answer. */
  refused: { delivery: Delivery; answer: string }[]
  /** Milliseconds from request to 2xx, ascending. */
  latenciesMs: number[]
  tookMs: number
}

/** Svix's own limit for one try. */
const ANSWER_WITHIN_MS = 15_000
const FIRST_BACKOFF_MS = 100
/** Svix waits for hours; a simulation has a viewer, and its longest outage is a minute or two. */
const LONGEST_BACKOFF_MS = 3000
/** The longest that a simulation is meant to last with its services away; then something is permanently wrong. */
const PATIENCE_MS = 10 * 60_000

/** Sends like a patient Svix: the same id and a fresh signature with every try, until the answer is final. */
export async function send(deliveries: readonly Delivery[], options: SendOptions): Promise<SendReport> {
  const report: SendReport = { accepted: 0, retries: 0, refused: [], latenciesMs: [], tookMs: 0 }
  const line = new Line(options)
  const startedAtMs = performance.now()
  const queue = deliveries.entries()
  // Every waiting lane listens to it.
  setMaxListeners(0, options.signal)
  const lane = async () => {
    for (const [index, delivery] of queue) {
      if (options.rate !== undefined) await until(startedAtMs + (index / options.rate) * 1000, options.signal)
      if (options.signal.aborted || report.refused.length > 0) return
      await deliver(delivery, line, options, report)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, lane))
  line.close()
  report.tookMs = performance.now() - startedAtMs
  report.latenciesMs.sort((a, b) => a - b)
  return report
}

async function deliver(delivery: Delivery, line: Line, options: SendOptions, report: SendReport): Promise<void> {
  const giveUpAtMs = performance.now() + PATIENCE_MS
  for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)) {
    const triedAtMs = performance.now()
    const answer = await line.post(delivery)
    if (answer.isAccepted) {
      report.latenciesMs.push(performance.now() - triedAtMs)
      report.accepted += 1
      options.onDelivered(report.accepted, report.retries)
      return
    }
    if (options.signal.aborted) return
    if (!isPassing(answer.status) || performance.now() > giveUpAtMs) {
      report.refused.push({ delivery, answer: answer.text })
      return
    }
    report.retries += 1
    options.onDelivered(report.accepted, report.retries)
    // With jitter: deliveries that were refused together must not all come back in the same instant.
    await until(performance.now() + backoffMs * (0.5 + Math.random() / 2), options.signal)
  }
}

/** 0 means no answer. */
const isPassing = (status: number) => status === 0 || status === 408 || status === 429 || status >= 500

async function until(atMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = atMs - performance.now()
  if (waitMs > 0) await pause(waitMs, undefined, { signal }).catch(() => undefined)
}

interface Answer {
  status: number
  isAccepted: boolean
  /** For people: `503 not_durable`, `no answer: ECONNREFUSED`. */
  text: string
}

/**
 * node:http instead of fetch, which costs several times as much: the sender shares its machine with the servers under
 * load.
 */
class Line {
  readonly #url: URL
  readonly #webhook: Webhook
  readonly #agent: HttpAgent | HttpsAgent
  readonly #request: typeof httpRequest

  constructor({ url, signingSecret, concurrency }: SendOptions) {
    this.#url = new URL(url)
    this.#webhook = new Webhook(signingSecret)
    const isTls = this.#url.protocol === 'https:'
    this.#agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: concurrency })
    this.#request = isTls ? httpsRequest : httpRequest
  }

  post({ eventId, body }: Delivery): Promise<Answer> {
    const signedAt = new Date()
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'svix-id': eventId,
      'svix-timestamp': String(Math.floor(signedAt.getTime() / 1000)),
      'svix-signature': this.#webhook.sign(eventId, signedAt, body),
      'user-agent': 'Svix-Webhooks/1.0 (clerk-mirror simulate)',
    }
    return new Promise((resolve) => {
      const noAnswer = (error: Error) =>
        resolve({ status: 0, isAccepted: false, text: `no answer: ${'code' in error ? error.code : error.message}` })
      const options = { method: 'POST', agent: this.#agent, headers, timeout: ANSWER_WITHIN_MS }
      const request = this.#request(this.#url, options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', noAnswer)
        response.on('end', () => resolve(answerOf(response.statusCode ?? 0, text)))
      })
      request.on('timeout', () => request.destroy(new Error(`none within ${ANSWER_WITHIN_MS / 1000} s`)))
      request.on('error', noAnswer)
      request.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function answerOf(status: number, body: string): Answer {
  const code = /"(?:code|status)":"(\w+)"/.exec(body)?.[1]
  // An event that is acknowledged and ignored is as lost to a simulation as one that is refused.
  const isAccepted = status >= 200 && status < 300 && code !== 'ignored'
  return { status, isAccepted, text: code === undefined ? String(status) : `${status} ${code}` }
}
