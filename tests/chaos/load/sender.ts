import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Webhook } from 'svix'
import type { Random } from '../../../packages/devstack/src/random.js'
import type { Journal } from '../oracle/journal.js'
import type { Clockwork } from '../oracle/lag.js'
import { increase, recordPromise, type Totals } from '../totals.js'

export type Message = { eventId: string; body: string }
/** `name` is that of the ingest process behind it. */
export type IngestTarget = { name: string; port: number }
/** Status 0: none came. */
type Answer = { status: number; code: string }

/** Svix' own patience with one try. */
const ANSWER_WITHIN_MS = 15_000
/** Svix' own pauses, from 5 s to 10 h, on a smaller scale. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 5_000, 10_000] as const
/** A sender without an answer may send the event a second time although ingest has taken it. */
const DUPLICATE_AFTER_SILENCE = 0.3
const REFUSED_WITHIN_MS = 500

export type SenderOptions = {
  ingests: readonly IngestTarget[]
  secret: string
  random: Random
  journal: Journal
  totals: Totals
  clockwork: Clockwork
}

/** Sends as Svix does: the same id and a fresh signature at every try, until the answer is 2xx. */
export class Sender {
  readonly #options: SenderOptions
  readonly #agents: Map<string, Agent>
  readonly #webhook: Webhook
  #open = 0
  #isClosed = false
  /** False while the way to ingest is slow itself: then no answer tells how quick ingest is. */
  isTimed = true

  constructor(options: SenderOptions) {
    this.#options = options
    this.#webhook = new Webhook(options.secret)
    this.#agents = new Map(options.ingests.map(({ name }) => [name, new Agent({ keepAlive: true })]))
  }

  /** Messages that were given in and not taken yet. */
  get open(): number {
    return this.#open
  }

  /** Resolves when it was accepted, however long that takes. */
  async deliver(message: Message): Promise<void> {
    const { random, journal } = this.#options
    this.#open += 1
    let wasSilent = false
    for (let attempt = 0; !this.#isClosed; attempt += 1) {
      const ingest = this.#anyIngest()
      const { status } = await this.#post(ingest, message, this.#webhook)
      if (status === 202) {
        journal.accepted(message.eventId, ingest.name)
        break
      }
      wasSilent ||= status === 0
      const longest = RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)] ?? 0
      await pause(longest * (0.5 + random.fraction() / 2))
    }
    if (wasSilent && random.chance(DUPLICATE_AFTER_SILENCE)) await this.#post(this.#anyIngest(), message, this.#webhook)
    this.#open -= 1
  }

  /** One try with another's secret; the status. */
  async forge(message: Message): Promise<number> {
    const forger = new Webhook(Buffer.from('a secret of somebody else').toString('base64'))
    return (await this.#post(this.#anyIngest(), message, forger)).status
  }

  /** From now on, no pending event is accepted any more. */
  close(): void {
    this.#isClosed = true
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #anyIngest(): IngestTarget {
    const { ingests, random } = this.#options
    const ingest = ingests[random.integer(0, ingests.length - 1)]
    if (!ingest) throw new Error('there is no ingest process to send to')
    return ingest
  }

  async #post(ingest: IngestTarget, message: Message, webhook: Webhook): Promise<Answer> {
    const { totals, clockwork } = this.#options
    const startedMs = clockwork.nowMs()
    const wasTimed = this.isTimed
    const answer = await this.#exchange(ingest, message, webhook)
    totals.sent += 1
    if (answer.status === 0) totals.unanswered += 1
    else if (answer.status !== 202) increase(totals.refused, `${answer.status} ${answer.code}`)
    if (answer.status === 503 && wasTimed && this.isTimed) {
      recordPromise(totals, REFUSAL, REFUSED_WITHIN_MS, clockwork.nowMs() - startedMs)
    }
    return answer
  }

  #exchange(ingest: IngestTarget, { eventId, body }: Message, webhook: Webhook): Promise<Answer> {
    const signedAt = new Date()
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'svix-id': eventId,
      'svix-timestamp': String(Math.floor(signedAt.getTime() / 1000)),
      'svix-signature': webhook.sign(eventId, signedAt, body),
    }
    const options = { port: ingest.port, host: '127.0.0.1', path: '/webhooks/clerk', method: 'POST', headers }
    return new Promise((resolve) => {
      const silence = { status: 0, code: 'no answer' }
      const asked = request({ ...options, agent: this.#agents.get(ingest.name) }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
        })
        response.on('error', () => resolve(silence))
        response.on('end', () => {
          const [, code = ''] = /"(?:code|status)":"(\w+)"/.exec(text) ?? []
          resolve({ status: response.statusCode ?? 0, code })
        })
      })
      const late = setTimeout(() => asked.destroy(new Error('no answer')), ANSWER_WITHIN_MS)
      asked.on('error', () => resolve(silence))
      asked.on('close', () => {
        clearTimeout(late)
        resolve(silence)
      })
      asked.end(body)
    })
  }
}

const REFUSAL = 'ingest refuses while Redis is away'
