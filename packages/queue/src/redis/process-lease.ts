import { PROMPT_COMMAND_MS } from '../limits.js'
import type { RedisClient } from './connection.js'
import { withTimeout } from './with-timeout.js'

/** KEYS: the lease. ARGV: the process that asks, ms; 0 releases it. 1 when the process holds the lease now. */
const LEASE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

export type ProcessLeaseScripts = {
  clerkLease: (lease: string, holder: string, milliseconds: number) => Promise<number>
}

export function withProcessLease<T extends RedisClient>(client: T): T & ProcessLeaseScripts {
  client.defineCommand('clerkLease', { numberOfKeys: 1, lua: LEASE })
  return client as T & ProcessLeaseScripts
}

/**
 * The right of one process at a time to do a piece of work. A process that dies keeps the others waiting until its
 * lease runs out; a process that was frozen beyond that may work beside its successor, so the work must bear it.
 */
export class ProcessLease {
  readonly #client: ProcessLeaseScripts
  readonly #key: string
  readonly #holder: string
  readonly #lastsMs: number
  #untilMs = Number.NEGATIVE_INFINITY

  /** `holder` names the process: two leases of one holder do not exclude each other. */
  constructor(client: ProcessLeaseScripts, key: string, holder: string, lastsMs: number) {
    this.#client = client
    this.#key = key
    this.#holder = holder
    this.#lastsMs = lastsMs
  }

  isHeld(): boolean {
    return performance.now() < this.#untilMs
  }

  /** Takes the lease, or renews it; false while another process holds it. @throws when Redis does not answer. */
  async renew(): Promise<boolean> {
    // Counted from before the request: the lease must end here before it ends in Redis.
    const untilMs = performance.now() + this.#lastsMs
    const isOurs = (await this.#send(this.#lastsMs)) === 1
    this.#untilMs = isOurs ? untilMs : Number.NEGATIVE_INFINITY
    return isOurs
  }

  /** Lets the next process have it at once. Never throws: without an answer the lease runs out. */
  async release(): Promise<void> {
    if (!this.isHeld()) return
    this.#untilMs = Number.NEGATIVE_INFINITY
    await this.#send(0).catch(() => {})
  }

  #send(milliseconds: number): Promise<number> {
    return withTimeout(PROMPT_COMMAND_MS, this.#client.clerkLease(this.#key, this.#holder, milliseconds))
  }
}
