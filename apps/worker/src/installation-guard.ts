import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, type InstallationRefusal, type InstallationStamp, matchInstallations } from '@clerk-mirror/events'
import type { DatabaseInstallation } from '@clerk-mirror/mirror'
import type { Handle, QueueInstallation } from '@clerk-mirror/queue/consume'
import { singleFlight } from '@clerk-mirror/runtime'
import { INSTALLATION_LOOK_MS, INSTALLATION_TRUST_MS } from './limits.js'

export type InstallationObserver = {
  /** This process has marked a new installation. */
  stamped: (stamp: InstallationStamp) => void
  /** Redis had lost the mark, and with it its data: this process has begun a new epoch. */
  queueLost: (stamp: InstallationStamp) => void
  /** Queue and database belonged together, and no longer do: the process must end. */
  separated: (refusal: InstallationRefusal) => void
}

export type InstallationGuard = Disposable & {
  /** Waits for Redis, and resolves when queue and database belong together. @throws Failure of class `outage` */
  ready: () => Promise<void>
  /**
   * As `ready`, for a batch at hand: a comparison within the last second suffices. @throws Failure of class `outage`
   */
  demand: () => Promise<void>
  /** The installation that both belong to, as of the last comparison; null before the first. */
  stamp: () => InstallationStamp | null
  /** The handler, which runs only once `demand` has passed. */
  guarded: (handle: Handle) => Handle
}

type Options = {
  queue: QueueInstallation
  database: DatabaseInstallation
  /** Names the cause, where a pool reports only that it got no connection. */
  canary: () => Promise<void>
  observer: InstallationObserver
}

/**
 * Keeps a worker from applying the events of one installation to the database of another. A new connection to Redis may
 * lead to another server, so after each the marks are compared before anything more is applied. While Redis or the
 * database is silent, the last comparison holds: a queue that does not answer delivers no events.
 */
export function openInstallationGuard(options: Options): InstallationGuard {
  const { queue, observer } = options
  const stop = new AbortController()
  let stamp: InstallationStamp | null = null
  let foundAtMs = Number.NEGATIVE_INFINITY
  let mustCompare = true

  const compare = singleFlight(async () => {
    const found = await belongTogether(options)
    if (found.kind === 'refused') {
      if (stamp !== null) observer.separated(found.refusal)
      throw new Failure('outage', found.refusal.code, found.refusal.message)
    }
    stamp = found.stamp
    foundAtMs = performance.now()
    mustCompare = false
  })
  const demand = async (maxAgeMs: number) => {
    if (queue.hasReconnected()) mustCompare = true
    const isFresh = performance.now() - foundAtMs < maxAgeMs
    if (!mustCompare && (isFresh || !queue.isConnected())) return
    await compare().catch((error: unknown) => {
      if (mustCompare || isRefusal(error)) throw asOutage(error)
    })
  }
  const lookAgainAndAgain = async () => {
    while (!stop.signal.aborted) {
      await pause(INSTALLATION_LOOK_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
      if (stamp !== null && !stop.signal.aborted) await demand(INSTALLATION_LOOK_MS / 2).catch(() => {})
    }
  }
  void lookAgainAndAgain()
  return {
    async ready() {
      await queue.connected()
      await demand(0)
    },
    demand: () => demand(INSTALLATION_TRUST_MS),
    stamp: () => stamp,
    guarded: (handle) => async (batch) => {
      await demand(INSTALLATION_TRUST_MS)
      return handle(batch)
    },
    [Symbol.dispose]() {
      stop.abort()
      queue[Symbol.dispose]()
    },
  }
}

type Found = { kind: 'together'; stamp: InstallationStamp } | { kind: 'refused'; refusal: InstallationRefusal }

/** Compares the marks, and writes missing ones. */
async function belongTogether({ queue, database, canary, observer }: Options): Promise<Found> {
  const mark = async (wanted: InstallationStamp, written: (stamp: InstallationStamp) => void): Promise<Found> => {
    const { isWritten, stamp } = await queue.stamp(wanted)
    const late = matchInstallations(wanted, stamp)
    // Another installation was faster.
    if (late.kind === 'conflict') return { kind: 'refused', refusal: late.refusal }
    await database.raiseEpoch(stamp)
    if (isWritten) written(stamp)
    return { kind: 'together', stamp }
  }
  // The database first: the process that marks a queue raises the epoch in the database afterwards, so an epoch that is
  // read here has reached the queue, unless the queue has lost it.
  const inDatabase = await database.read().catch(async (error: unknown) => {
    await canary()
    throw error
  })
  const match = matchInstallations(inDatabase, await queue.read())
  switch (match.kind) {
    case 'conflict':
      return { kind: 'refused', refusal: match.refusal }
    case 'new': {
      const { id } = match.stamp ?? (await database.stamp({ id: randomUUID(), epoch: 0 }))
      return mark({ id, epoch: 1 }, observer.stamped)
    }
    case 'queue-lost':
      return mark({ id: match.stamp.id, epoch: match.stamp.epoch + 1 }, observer.queueLost)
    case 'database-behind':
      await database.raiseEpoch(match.stamp)
      return { kind: 'together', stamp: match.stamp }
    case 'match':
      return { kind: 'together', stamp: match.stamp }
  }
}

const REFUSALS: ReadonlySet<string> = new Set(['installation_mismatch', 'database_unstamped'])
const isRefusal = (error: unknown) => error instanceof Failure && REFUSALS.has(error.code)

/** An outage: nothing can be applied, and no event is at fault. */
function asOutage(error: unknown): Failure {
  if (error instanceof Failure) return new Failure('outage', error.code, error.message, error)
  const cause = error instanceof Error ? error.message : String(error)
  return new Failure('outage', 'installation_unread', `Redis does not name its installation: ${cause}`, error)
}
