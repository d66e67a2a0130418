import { setTimeout as pause } from 'node:timers/promises'
import type { Mirror } from '@clerk-mirror/mirror'
import type { Partition } from '@clerk-mirror/queue/consume'
import type { ReactionProducer } from '@clerk-mirror/queue/enqueue'
import { RELAY_GATHER_MS, RELAY_PAGE, RELAY_POLL_MS, RELAY_RETRY_MS, RELAY_TURN_MS } from '../limits.js'
import { reactionJob } from './reaction-job.js'

export type RelayOptions = {
  mirror: Pick<Mirror, 'outbox' | 'outboxReactions' | 'removeFromOutbox'>
  producer: Pick<ReactionProducer, 'enqueue' | 'room' | 'withLease'>
  /** By the name of the reaction. */
  partitions: ReadonlyMap<string, Partition>
  /** Whether the worker is saturated with events: then few requests are enqueued. */
  isSaturated: () => boolean
  /** Resolves when rows of this database may go into this queue. */
  permit: () => Promise<void>
  observer: {
    enqueued: (reaction: string, jobs: number) => void
    /** Called once per outage, of MySQL or of Redis. */
    halted: (error: Error) => void
    resumed: () => void
  }
}

export type Relay = AsyncDisposable & {
  /** Called with the reactions of new requests. */
  wake: (reactions: Iterable<string>) => void
}

/**
 * Moves reaction requests from MySQL to the queues in Redis: reads rows, waits until their jobs are durable, and only
 * then removes the rows. If the process dies in between, another enqueues the same rows again, under the same job ids.
 * So each request is enqueued at least once; twice only if its first run was completed already.
 *
 * One process at a time relays a reaction's rows, whichever takes the lease first. A change wakes the relay of the
 * worker that applied it, and a poll finds rows that a dead worker left behind.
 */
export function openRelay(options: RelayOptions): Relay {
  const { mirror, partitions, permit, observer } = options
  const stop = new AbortController()
  const due = new Set<string>()
  let ring = () => {}
  let gathering: NodeJS.Timeout | undefined
  let lookAtMs = 0
  let isHalted = false

  /** Enqueues the due rows; returns the milliseconds until there may be more. */
  const round = async (): Promise<number> => {
    await permit()
    if (performance.now() >= lookAtMs) {
      for (const name of await mirror.outboxReactions()) due.add(name)
      lookAtMs = performance.now() + RELAY_POLL_MS
    }
    let isMore = false
    for (const name of [...due]) {
      due.delete(name)
      const partition = partitions.get(name)
      if (!partition || stop.signal.aborted) continue
      const rest = await relayReaction(name, partition, options, stop.signal)
      // Rows that find no room are found again by the next poll.
      if (rest === 'more' || rest === 'busy') due.add(name)
      if (rest === 'more') isMore = true
    }
    if (isMore) return 0
    return due.size > 0 ? RELAY_GATHER_MS : Math.max(0, lookAtMs - performance.now())
  }

  const loop = async () => {
    while (!stop.signal.aborted) {
      let waitMs = RELAY_RETRY_MS
      try {
        waitMs = await round()
        if (isHalted) observer.resumed()
        isHalted = false
      } catch (error) {
        // The failed round may have left rows.
        lookAtMs = 0
        if (!isHalted) observer.halted(error instanceof Error ? error : new Error(String(error)))
        isHalted = true
      }
      if (stop.signal.aborted) return
      const rung = new AbortController()
      ring = () => rung.abort()
      if (waitMs > 0) await pause(waitMs, undefined, { signal: rung.signal }).catch(() => {})
    }
  }
  const looping = loop()
  return {
    wake(reactions) {
      for (const name of reactions) due.add(name)
      // A round costs as much for one row as for a page: a busy worker makes ten a second.
      gathering ??= setTimeout(() => {
        gathering = undefined
        if (!isHalted) ring()
      }, RELAY_GATHER_MS)
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      clearTimeout(gathering)
      ring()
      await looping
    },
  }
}

/** `busy`: another process holds the lease. */
type Rest = 'none' | 'more' | 'full' | 'busy'

async function relayReaction(
  reaction: string,
  partition: Partition,
  { mirror, producer, isSaturated, observer }: RelayOptions,
  stop: AbortSignal,
): Promise<Rest> {
  const untilMs = performance.now() + RELAY_TURN_MS
  let rest: Rest = 'more'
  const isOurs = await producer.withLease(partition, async () => {
    while (rest === 'more' && performance.now() < untilMs && !stop.aborted) {
      const { waiting, room } = await producer.room(partition)
      // Events take precedence: while waiting runs suffice, further requests stay in the outbox, where they cost
      // nothing.
      const page = isSaturated() && waiting > 0 ? 0 : Math.min(RELAY_PAGE, room)
      const rows = page > 0 ? await mirror.outbox(reaction, page) : []
      if (rows.length > 0) {
        await producer.enqueue(
          partition,
          rows.map(({ request }) => reactionJob(request)),
        )
        await mirror.removeFromOutbox(rows.map(({ rowId }) => rowId))
        observer.enqueued(reaction, rows.length)
      }
      if (page === 0) rest = 'full'
      else if (rows.length < page) rest = 'none'
    }
  })
  return isOurs ? rest : 'busy'
}
