import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type Random, seededRandom } from '../random.js'
import { refused, type StandInAnswer, throttled } from './answers.js'
import { drawFault, drawShift, type Fault, NO_FAULTS, type StandInFaults } from './faults.js'
import { LISTS, STAND_IN_KINDS, type StandInKind, type StandInObject, standInObject, textOf } from './kinds.js'
import { ObjectList } from './object-list.js'
import { ALLOWANCES, type Allowance, RateLimit } from './rate-limit.js'
import { routeOf, type StandInBehaviour } from './routes.js'

export type ClerkStandInOptions = {
  instanceId?: string
  environmentType?: 'production' | 'development'
  secretKey?: string
  /** A free one by default. */
  port?: number
  /** Of the chances of faults. */
  seed?: number
  allowance?: Allowance
}

/** A request as it was answered; status 0 for one that was reset. */
export type StandInRequest = { endpoint: string; path: string; atMs: number; status: number }

/** Stands for Clerk's Backend API on this machine: pages, counts, single objects, limits, and faults on demand. */
export type ClerkStandIn = AsyncDisposable & {
  readonly url: string
  readonly secretKey: string
  readonly instanceId: string
  readonly requests: StandInRequest[]
  readonly faults: StandInFaults
  readonly behaviour: StandInBehaviour
  /** Milliseconds until reads see what was put or deleted. */
  lagMs: number
  /** Every request is reset. */
  isDown: boolean
  /** The secret key is no longer taken. */
  isRevoked: boolean
  /** Called after each page of a list, before the next request is answered. */
  afterPage: (endpoint: string) => void
  /** Answers in place of the stand-in, for what it does not do by itself. */
  intercept: (path: string, headers: IncomingHttpHeaders) => StandInAnswer | undefined
  /** Clerk's own JSON, or an object of it. */
  put: (kind: StandInKind, object: string | object) => void
  /** Objects whose texts are made when they are asked for. */
  putMade: (kind: StandInKind, objects: Iterable<StandInObject>) => void
  delete: (kind: StandInKind, id: string) => void
  /** The text as it is at Clerk, whatever reads see; undefined when there is none. */
  get: (kind: StandInKind, id: string) => string | undefined
  ids: (kind: StandInKind) => string[]
}

export async function openClerkStandIn(options: ClerkStandInOptions = {}): Promise<ClerkStandIn> {
  const server = createServer()
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return new HttpStandIn(server, options)
}

const KNOWN_VERSIONS = ['2024-10-01', '2025-04-10', '2025-11-10', '2026-05-12']

const listOfEachKind = () =>
  Object.fromEntries(STAND_IN_KINDS.map((kind) => [kind, new ObjectList()])) as Record<StandInKind, ObjectList>

type Change = { atMs: number; apply: () => void }

class HttpStandIn implements ClerkStandIn {
  readonly url: string
  readonly secretKey: string
  readonly instanceId: string
  readonly requests: StandInRequest[] = []
  readonly faults: StandInFaults = { ...NO_FAULTS }
  readonly behaviour: StandInBehaviour = {
    ...{ lostCursor: 'refused', includesBorders: false, limitMax: 500, disabled: new Set<StandInKind>() },
  }
  isDown = false
  isRevoked = false
  afterPage: (endpoint: string) => void = () => {}
  intercept: (path: string, headers: IncomingHttpHeaders) => StandInAnswer | undefined = () => undefined
  readonly #server: Server
  readonly #random: Random
  readonly #rateLimit: RateLimit
  readonly #environmentType: 'production' | 'development'
  /** As Clerk has them, and as reads see them: the same until reads lag behind. */
  readonly #true = listOfEachKind()
  #seen = this.#true
  #lagMs = 0
  #changes: Change[] = []

  constructor(server: Server, options: ClerkStandInOptions) {
    this.#server = server
    this.#environmentType = options.environmentType ?? 'production'
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    this.secretKey = options.secretKey ?? 'sk_test_of_the_local_stand_in'
    this.instanceId = options.instanceId ?? 'ins_localstandin'
    this.#random = seededRandom(options.seed ?? 1)
    this.#rateLimit = new RateLimit(options.allowance ?? ALLOWANCES[this.#environmentType])
    server.on('request', (request, response) => void this.#serve(request, response))
  }

  get lagMs(): number {
    return this.#lagMs
  }

  set lagMs(ms: number) {
    this.#lagMs = ms
    if (ms === 0 || this.#seen !== this.#true) return
    this.#seen = listOfEachKind()
    for (const kind of STAND_IN_KINDS) for (const object of this.#true[kind].all()) this.#seen[kind].put(object)
  }

  put(kind: StandInKind, object: string | object): void {
    this.putMade(kind, [standInObject(object)])
  }

  putMade(kind: StandInKind, objects: Iterable<StandInObject>): void {
    for (const object of objects) {
      this.#true[kind].put(object)
      if (this.#seen !== this.#true) this.#change(() => this.#seen[kind].put(object))
    }
  }

  delete(kind: StandInKind, id: string): void {
    this.#true[kind].delete(id)
    if (this.#seen !== this.#true) this.#change(() => this.#seen[kind].delete(id))
  }

  get(kind: StandInKind, id: string): string | undefined {
    const object = this.#true[kind].get(id)
    return object && textOf(object)
  }

  ids(kind: StandInKind): string[] {
    return this.#true[kind].all().map(({ id }) => id)
  }

  #change(apply: () => void): void {
    if (this.#lagMs === 0 && this.#changes.length === 0) apply()
    else this.#changes.push({ atMs: performance.now() + this.#lagMs, apply })
  }

  /** In their order: a later change never shows before an earlier one. */
  #applyDue(): void {
    const nowMs = performance.now()
    while (this.#changes[0] !== undefined && this.#changes[0].atMs <= nowMs) this.#changes.shift()?.apply()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    request.on('error', () => {}).resume()
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const route = pathname.startsWith('/v1/') ? routeOf(pathname.slice('/v1'.length)) : undefined
    const record = {
      endpoint: route?.endpoint ?? pathname,
      path: request.url ?? '',
      atMs: performance.now(),
      status: 0,
    }
    this.requests.push(record)
    const fault = this.isDown ? 'reset' : drawFault(this.#random, this.faults)
    if (fault === 'reset') return void request.socket.resetAndDestroy()
    if (this.#random.chance(this.faults.slow)) await wait(this.faults.slowMs)
    this.#applyDue()
    const instead = this.intercept(record.path, request.headers)
    const refusal = instead ?? this.#refusal(request, record.endpoint, record.atMs, fault)
    const answer = refusal ?? this.#answer(route, searchParams)
    record.status = answer.status
    send(response, answer, refusal === undefined && fault === 'truncated' ? this.#random.fraction() : undefined)
    if (refusal === undefined && Object.values<string>(LISTS).includes(record.endpoint)) this.afterPage(record.endpoint)
  }

  #refusal(
    request: IncomingMessage,
    endpoint: string,
    nowMs: number,
    fault: Fault | undefined,
  ): StandInAnswer | undefined {
    if (request.method !== 'GET') return refused(405, 'method_not_allowed')
    const { authorization, 'clerk-api-version': version } = request.headers
    if (this.isRevoked || authorization !== `Bearer ${this.secretKey}`) return refused(401, 'clerk_key_invalid')
    if (!KNOWN_VERSIONS.includes(String(version))) return refused(400, 'api_version_invalid')
    const waitS = this.#rateLimit.take(endpoint, nowMs)
    if (waitS > 0) return throttled(waitS)
    if (fault === 'throttledBare') return throttled(null)
    if (fault === 'failed') return refused(this.#random.pick([500, 503]), 'internal_clerk_error')
    if (fault !== 'throttled') return undefined
    this.#rateLimit.block(endpoint, nowMs, this.faults.retryAfterS)
    return throttled(this.faults.retryAfterS)
  }

  #answer(route: ReturnType<typeof routeOf>, query: URLSearchParams): StandInAnswer {
    const instance = { object: 'instance', id: this.instanceId, environment_type: this.#environmentType }
    const shift = () => drawShift(this.#random, this.faults)
    const served = { instance, lists: this.#seen, behaviour: this.behaviour, shift }
    // Not in Clerk's shape: a path that is none says nothing of an object.
    return route?.answer(served, query) ?? { status: 404, body: '404 page not found' }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** `cut`: the share of a body that is cut short which still is sent. */
function send(response: ServerResponse, { status, body, headers }: StandInAnswer, cut: number | undefined): void {
  const bytes = Buffer.from(body)
  const sent = cut === undefined ? bytes : bytes.subarray(0, Math.floor(bytes.length * cut))
  const isHonest = cut === undefined || cut < 0.5
  const length = isHonest ? sent.length : bytes.length
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers })
  if (isHonest) response.end(sent)
  else response.write(sent, () => response.destroy())
}
