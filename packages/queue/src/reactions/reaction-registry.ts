import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { singleFlight } from '@clerk-mirror/runtime'
import { workersAlive } from '../heartbeats/worker-heartbeat.js'
import {
  HEARTBEAT_TTL_MS,
  PROMPT_COMMAND_MS,
  REACTION_ACKNOWLEDGE_MS,
  REACTION_REGISTRY_TRUST_MS,
  REGISTRY_POLL_MS,
} from '../limits.js'
import {
  type ReactionRegistryScripts,
  reactionRegistryKeys,
  readRegistry,
  withReactionRegistry,
} from '../lua/reaction-registry-scripts.js'
import type { Partitions } from '../partitions.js'
import { openPromptClient, type RedisClient } from '../redis/connection.js'
import { asQueueUnavailable } from '../redis/queue-unavailable.js'
import type { RedisTarget } from '../redis/redis-url.js'
import { withTimeout } from '../redis/with-timeout.js'

/** Reactions by name, each with its filters as texts that only workers interpret. */
export type RegisteredReactions = ReadonlyMap<string, readonly string[]>

/** A process that is not known to request a registered reaction. */
export type Unaware = { host: string; pid: number }

export type RegistryObserver = {
  /** Called once, when the reactions of this process are on the registry. */
  registered: () => void
  /** Every living worker knows them: each change that commits from now on is requested. */
  acknowledged: () => void
  /** These have not acknowledged them within `REACTION_ACKNOWLEDGE_MS`; the wait for them goes on. */
  unacknowledged: (workers: readonly Unaware[]) => void
}

export type ReactionRegistry = Disposable & {
  /** As of the last poll: changes with each poll that finds another version. Null before the first. */
  current: () => { version: number; reactions: RegisteredReactions } | null
  /** Whether the last poll is recent enough for a commit. */
  isCurrent: () => boolean
  /** Polls now. @throws QueueUnavailable, at once when Redis is not connected. */
  poll: () => Promise<void>
  /** Resolves when a poll is recent enough; waits for a connection to Redis. @throws QueueUnavailable */
  pollUnlessCurrent: () => Promise<void>
  /** Work begins that uses the present version. The registry learns of a newer one when that work has ended. */
  hold: () => Disposable
}

/**
 * Puts the reactions of this worker on the registry, beside those of all others, and polls it.
 *
 * A worker that registers a reaction waits until all living workers have acknowledged the version with it. A reader's
 * poll stores its heartbeat and reads the registry in one step: either the poll came first and its heartbeat is
 * visible, or it read the new version. A heartbeat outlives `REACTION_REGISTRY_TRUST_MS`, after which its worker
 * commits nothing before the next poll: a process that was frozen until it counts as dead has no work left that it may
 * commit.
 */
export function openReactionRegistry(
  target: RedisTarget,
  partitions: Partitions,
  own: RegisteredReactions,
  observer: RegistryObserver,
): ReactionRegistry {
  const client = withReactionRegistry(openPromptClient(target))
  client.on('error', () => {}) // each command reports its own, and the process has been told by its other connection
  const stop = new AbortController()
  const rest = () => pause(REGISTRY_POLL_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
  const reader = new RegistryReader(client, partitions, own, (version) => {
    observer.registered()
    if (own.size > 0) void awaitAcknowledgement(version)
  })
  const awaitAcknowledgement = async (version: number) => {
    const warnAtMs = performance.now() + REACTION_ACKNOWLEDGE_MS
    let isWarned = false
    while (!stop.signal.aborted && reader.ownVersion === version) {
      const waiting = await reader.unaware(version).catch(() => null)
      if (waiting?.length === 0) return observer.acknowledged()
      if (waiting && !isWarned && performance.now() > warnAtMs) {
        isWarned = true
        observer.unacknowledged(waiting)
      }
      await rest()
    }
  }
  const pollLoop = async () => {
    while (!stop.signal.aborted) {
      await reader.poll().catch(() => {})
      await rest()
    }
  }
  client.on('ready', () => void reader.poll().catch(() => {}))
  void pollLoop()
  return {
    current: () => reader.known,
    isCurrent: () => reader.isCurrent(),
    poll: () => reader.poll(),
    async pollUnlessCurrent() {
      if (reader.isCurrent()) return
      if (client.status !== 'ready') await new Promise<void>((resolve) => client.once('ready', () => resolve()))
      await reader.poll()
    },
    hold: () => reader.hold(),
    [Symbol.dispose]() {
      stop.abort()
      // Lets no worker wait for this one; without this the heartbeat expires.
      if (client.status === 'ready') reader.deregister()
      client.disconnect()
    },
  }
}

/** One process' copy of the registry, and its heartbeat there. */
class RegistryReader {
  readonly #client: RedisClient & ReactionRegistryScripts
  readonly #partitions: Partitions
  readonly #own: RegisteredReactions
  readonly #onRegistered: (version: number) => void
  readonly #id = randomUUID()
  /** Versions that work in progress began with, and the number of pieces of each. */
  readonly #held = new Map<number, number>()
  #polledAtMs = Number.NEGATIVE_INFINITY
  known: { version: number; reactions: RegisteredReactions } | null = null
  /** The version with the reactions of this process; null until they are on the registry. */
  ownVersion: number | null = null

  constructor(
    client: RedisClient & ReactionRegistryScripts,
    partitions: Partitions,
    own: RegisteredReactions,
    onRegistered: (version: number) => void,
  ) {
    this.#client = client
    this.#partitions = partitions
    this.#own = own
    this.#onRegistered = onRegistered
  }

  isCurrent(): boolean {
    return performance.now() - this.#polledAtMs < REACTION_REGISTRY_TRUST_MS
  }

  readonly poll = singleFlight(() => this.#pollNow())

  hold(): Disposable {
    const version = this.known?.version ?? 0
    this.#held.set(version, (this.#held.get(version) ?? 0) + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#held.get(version) ?? 1) - 1
        if (left === 0) this.#held.delete(version)
        else this.#held.set(version, left)
      },
    }
  }

  /** Living workers with work in progress, known or possible, that began before this version. */
  async unaware(version: number): Promise<Unaware[]> {
    const words = await asQueueUnavailable(
      withTimeout(PROMPT_COMMAND_MS, this.#client.clerkReactionReaders(...this.#keys(), HEARTBEAT_TTL_MS)),
    )
    const readers = words.map((word) => JSON.parse(word) as Unaware & { version: number })
    // A worker of a release before the register says nothing of its settings, and asks for its own reactions alone.
    const workers = await asQueueUnavailable(
      withTimeout(PROMPT_COMMAND_MS, workersAlive(this.#client, this.#partitions)),
    )
    const former = workers.filter(({ settings }) => settings === undefined)
    return [...readers.filter((reader) => reader.version < version), ...former].map(({ host, pid }) => ({ host, pid }))
  }

  deregister(): void {
    this.#client.hdel(this.#keys()[1], this.#id).catch(() => {})
  }

  async #pollNow(): Promise<void> {
    const sinceMs = performance.now()
    const { known } = this
    let answer = await (known === null ? this.#register() : this.#ask(known.version))
    // Redis has lost the registry, or an operator removed a part of this worker's: it is registered again.
    if (Number(answer[0]) !== known?.version && !includes(readRegistry(answer), this.#own)) {
      this.ownVersion = null
      answer = await this.#register()
    }
    const version = Number(answer[0])
    if (known === null || version !== known.version) this.known = { version, reactions: readRegistry(answer) }
    this.#polledAtMs = sinceMs
    if (this.ownVersion !== null) return
    this.ownVersion = version
    this.#onRegistered(version)
  }

  #ask(version: number) {
    const look = this.#client.clerkLook(...this.#keys(), HEARTBEAT_TTL_MS, this.#id, this.#heartbeat(), version)
    return asQueueUnavailable(withTimeout(PROMPT_COMMAND_MS, look))
  }

  #register() {
    const reactions = this.#texts().flat()
    const register = this.#client.clerkRegisterReactions(
      ...[...this.#keys(), HEARTBEAT_TTL_MS, this.#id, this.#heartbeat(), ...reactions],
    )
    return asQueueUnavailable(withTimeout(PROMPT_COMMAND_MS, register))
  }

  #heartbeat(): string {
    const version = Math.min(this.known?.version ?? 0, ...this.#held.keys())
    return JSON.stringify({ host: hostname(), pid: process.pid, version, reactions: Object.fromEntries(this.#texts()) })
  }

  #texts() {
    return [...this.#own].map(([name, filters]) => [name, filters.join('\n')] as const)
  }

  #keys() {
    return reactionRegistryKeys(this.#partitions)
  }
}

const includes = (all: RegisteredReactions, own: RegisteredReactions) =>
  [...own].every(([name, filters]) => all.has(name) && filters.every((filter) => all.get(name)?.includes(filter)))
