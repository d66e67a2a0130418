import { setTimeout as pause } from 'node:timers/promises'
import type { Mirror } from '@clerk-mirror/mirror'
import type { Partition } from '@clerk-mirror/queue/consume'
import type { ReactionProducer } from '@clerk-mirror/queue/enqueue'
import { RELAY_GATHER_MS, RELAY_PAGE, RELAY_POLL_MS, RELAY_RETRY_MS, RELAY_TURN_MS } from '../limits.js'
import { reactionJob } from './reaction-job.js'

export type RelayOptions = {
  mirror: Pick<Mirror, 'outbox' | 'outboxReactions' | 'removeFromOutbox'>
  producer: Pick<ReactionProducer, 'withLease' | 'enqueue' | 'room'>
  /** Of each reaction, by its name. */
  partitions: ReadonlyMap<string, Partition>
  /** Whether the worker has more events than it gets done: then little is handed over. */
  isBehind: () => boolean
  /** Resolves when rows of this database may go into this queue. */
  permit: () => Promise<void>
  observer: {
    enqueued: (reaction: string, jobs: number) => void
    /** Told once per outage, of MySQL or of Redis. */
    halted: (error: Error) => void
    goesOn: () => void
  }
}

export type Relay = AsyncDisposable & {
  /** These were asked for just now. */
  wake: (reactions: Iterable<string>) => void
}

/**
 * Hands what was asked for in MySQL over to the queues in Redis: reads rows, waits until their jobs are durable, and
 * only then removes the rows. Whoever dies in between has another hand the same rows over once more, under the same job
 * ids. So each is handed over at least once; twice only if its first run was over already.
 *
 * Each reaction's rows are handed over by one process at a time, whichever comes first; a change wakes the relay of the
 * worker that applied it, and what a worker left behind when it died is found by looking from time to time.
 */
export function openRelay(options: RelayOptions): Relay {
  const { mirror, partitions, permit, observer } = options
  const stop = new AbortController()
  const due = new Set<string>()
  let ring = () => {}
  let gathering: NodeJS.Timeout | undefined
  let lookAtMs = 0
  let isHalted = false

  /** Hands over what is due; the milliseconds until there may be more to do. */
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
      const rest = await enqueueAll(name, partition, options, stop.signal)
      // What finds no room is found again when it is looked for the next time.
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
        if (isHalted) observer.goesOn()
        isHalted = false
      } catch (error) {
        // Something may have been left undone.
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
      // A turn costs as much for one row as for a page: a worker that is busy takes ten a second.
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

/** `busy`: another process is at it. */
type Rest = 'none' | 'more' | 'full' | 'busy'

async function enqueueAll(
  reaction: string,
  partition: Partition,
  { mirror, producer, isBehind, observer }: RelayOptions,
  stop: AbortSignal,
): Promise<Rest> {
  const untilMs = performance.now() + RELAY_TURN_MS
  let rest: Rest = 'more'
  const isOurs = await producer.withLease(partition, async () => {
    while (rest === 'more' && performance.now() < untilMs && !stop.aborted) {
      const { waiting, room } = await producer.room(partition)
      // Events go first: while runs have enough to begin with, the others stay in the outbox, where they cost nothing.
      const page = isBehind() && waiting > 0 ? 0 : Math.min(RELAY_PAGE, room)
      const rows = page > 0 ? await mirror.outbox(reaction, page) : []
      if (rows.length > 0) {
        await producer.enqueue(
          partition,
          rows.map(({ asked }) => reactionJob(asked)),
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
