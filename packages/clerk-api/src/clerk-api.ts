import { setMaxListeners } from 'node:events'
import { NO_PROXIES, type ProxySettings, type Secret } from '@clerk-mirror/runtime'
import { ClerkApiError } from './clerk-api-error.js'
import { FIND } from './find.js'
import { openHttp } from './http.js'
import { LISTINGS, type ReferenceOf, type WalkedKind } from './kinds.js'
import { IDS_AT_ONCE, PAGE_OBJECTS, REQUESTS_PER_SECOND } from './limits.js'
import { Pacer } from './pacer.js'
import { demandSameWalk, startOf } from './position.js'
import { Reader } from './reader.js'
import { type ApiNotice, Requester } from './requester.js'
import { RETRY_POLICY, type RetryPolicy } from './retry-policy.js'
import type { ApiObject, CreatedWindow, Page, Position } from './walk.js'
import { walkByCursor } from './walk-by-cursor.js'
import { walkByOffset } from './walk-by-offset.js'

export type ClerkApiOptions = {
  /** Without `/v1`. */
  url: URL
  secretKey: Secret
  /** The ways out of the network; none by default. */
  proxies?: ProxySettings | undefined
  /** Of all callers together; by default a fifth of the rate that Clerk grants this instance. */
  requestsPerSecond?: number | undefined
  observer?: (notice: ApiNotice) => void
  /** Ends every request and every wait. */
  signal?: AbortSignal
  retryPolicy?: Partial<RetryPolicy>
}

export type Instance = { id: string; environmentType: 'production' | 'development' }

export type WalkOptions = {
  /** Goes on where another run of the same walk stopped. */
  after?: Position | undefined
  /** Users only: Clerk filters nothing else by time. */
  window?: CreatedWindow
  signal?: AbortSignal
}

export type CountOptions = CreatedWindow & { signal?: AbortSignal }

/**
 * Clerk's Backend API, to read from. Every method throws a ClerkApiError when the API does not answer as expected, and
 * the signal's reason when it is aborted.
 */
export type ClerkApi = AsyncDisposable & {
  /** The instance that the secret key is of; asked for once. */
  instance: () => Promise<Instance>
  /** Every object of a kind that lives from the first page to the last. */
  walk: (kind: WalkedKind, options?: WalkOptions) => AsyncGenerator<Page>
  /** How many there are. A window is for users only, and whether its borders are included is Clerk's secret. */
  count: (kind: WalkedKind, options?: CountOptions) => Promise<number>
  /** One object as it is now; undefined only when Clerk says that there is none. */
  find: <K extends WalkedKind>(
    kind: K,
    reference: ReferenceOf[K],
    signal?: AbortSignal,
  ) => Promise<ApiObject | undefined>
  /** The users at Clerk among these. */
  usersAmong: (ids: readonly string[], signal?: AbortSignal) => Promise<ApiObject[]>
  /** The users that changed last, newest first. A user that changes meanwhile may be missing. */
  newestUsers: (atMost: number, signal?: AbortSignal) => AsyncGenerator<readonly ApiObject[]>
}

/** Opens nothing before the first request. */
export function openClerkApi(options: ClerkApiOptions): ClerkApi {
  return new HttpClerkApi(options)
}

class HttpClerkApi implements ClerkApi {
  readonly #retryPolicy: RetryPolicy
  readonly #http
  readonly #requester: Requester
  readonly #signal: AbortSignal
  #instance: Promise<Instance> | undefined

  constructor(options: ClerkApiOptions) {
    const { url, secretKey, requestsPerSecond, observer = () => {}, signal, retryPolicy } = options
    this.#retryPolicy = { ...RETRY_POLICY, ...retryPolicy }
    this.#signal = joined(signal)
    this.#http = openHttp({
      ...{ url, secretKey, answerMs: this.#retryPolicy.answerMs, proxies: options.proxies ?? NO_PROXIES },
    })
    const common = { http: this.#http, retryPolicy: this.#retryPolicy, observer }
    // The instance determines the rate, so it must be asked before there is one.
    const slow = new Pacer(requestsPerSecond ?? REQUESTS_PER_SECOND.development)
    const first = new Requester({ ...common, pacer: async () => slow })
    this.instance = () => {
      this.#instance ??= readInstance(first, this.#signal).catch((error: unknown) => {
        this.#instance = undefined
        throw error
      })
      return this.#instance
    }
    let pacer = requestsPerSecond === undefined ? undefined : slow
    this.#requester = new Requester({
      ...common,
      pacer: async () => {
        pacer ??= new Pacer(REQUESTS_PER_SECOND[(await this.instance()).environmentType])
        return pacer
      },
    })
  }

  instance: () => Promise<Instance>

  walk(kind: WalkedKind, { after, window = {}, signal }: WalkOptions = {}): AsyncGenerator<Page> {
    if (after) demandSameWalk(after, kind, window)
    const begin = after ?? startOf(kind, window)
    const reader = this.#reader(signal)
    const { path, paging } = LISTINGS[kind]
    if (paging === 'cursor') return walkByCursor(reader, begin, this.#retryPolicy.retryFirstMs)
    demandNoWindow(window)
    return walkByOffset(reader, { path, endpoint: path }, begin, this.#retryPolicy.retryFirstMs)
  }

  async count(kind: WalkedKind, { fromMs, toMs, signal }: CountOptions = {}): Promise<number> {
    const reader = this.#reader(signal)
    const { path, paging } = LISTINGS[kind]
    if (paging === 'cursor') {
      return reader.count(`${path}/count`, { created_at_after: fromMs, created_at_before: toMs })
    }
    demandNoWindow({ fromMs, toMs })
    const page = await reader.page(path, { offset: 0 })
    if (page?.total !== undefined) return page.total
    throw new ClerkApiError('clerk_api_refused', `Clerk's API gives no total at ${path}`)
  }

  find<K extends WalkedKind>(kind: K, reference: ReferenceOf[K], signal?: AbortSignal): Promise<ApiObject | undefined> {
    const finder = { requester: this.#requester, reader: this.#reader(signal), signal: this.#joined(signal) }
    return FIND[kind]({ ...finder, idleMs: this.#retryPolicy.retryFirstMs }, reference)
  }

  async usersAmong(ids: readonly string[], signal?: AbortSignal): Promise<ApiObject[]> {
    const reader = this.#reader(signal)
    const found: ApiObject[] = []
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      const page = await reader.page(LISTINGS.user.path, { user_id: ids.slice(at, at + IDS_AT_ONCE) })
      found.push(...(page?.objects ?? []))
    }
    return found
  }

  async *newestUsers(atMost: number, signal?: AbortSignal): AsyncGenerator<readonly ApiObject[]> {
    const reader = this.#reader(signal)
    const { path } = LISTINGS.user
    const seen = new Set<string>()
    for (let offset = 0; offset < atMost; offset += PAGE_OBJECTS) {
      const page = await reader.page(path, { order_by: '-updated_at', offset })
      const objects = (page?.objects ?? []).filter(({ id }) => !seen.has(id)).slice(0, atMost - seen.size)
      for (const { id } of objects) seen.add(id)
      if (objects.length > 0) yield objects
      if (!page?.isFull) return
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#http[Symbol.asyncDispose]())
  }

  #reader(signal: AbortSignal | undefined): Reader {
    return new Reader(this.#requester, this.#joined(signal))
  }

  #joined(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#signal : joined(this.#signal, signal)
  }
}

/** A signal of our own: many requests wait at once, and Node warns of that when it sees it on the caller's. */
function joined(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const own = AbortSignal.any(signals.filter((signal) => signal !== undefined))
  setMaxListeners(0, own)
  return own
}

/** @throws RangeError */
function demandNoWindow({ fromMs, toMs }: CreatedWindow): void {
  if (fromMs !== undefined || toMs !== undefined) throw new RangeError('Clerk filters users alone by time of creation')
}

async function readInstance(requester: Requester, signal: AbortSignal): Promise<Instance> {
  const path = '/instance'
  const answer = await requester.get({ endpoint: path, path, signal, parse: parseInstance })
  if (answer.kind === 'value') return answer.value
  throw new ClerkApiError('clerk_api_refused', `Clerk's API knows no ${path}`)
}

function parseInstance(text: string): Instance {
  const { id, environment_type: type } = Object(JSON.parse(text)) as Record<string, unknown>
  if (typeof id !== 'string' || id === '') throw new Error('an instance without an id')
  // Only a certain production instance is granted the larger share.
  return { id, environmentType: type === 'production' ? 'production' : 'development' }
}
