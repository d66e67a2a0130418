import { setTimeout as pause } from 'node:timers/promises'
import { PROBE_TTL_MS, WEDGE_LOOK_MS, WEDGE_LOOKS } from '../limits.js'
import type { Partition, Partitions } from '../partitions.js'
import type { RedisClient } from '../redis/connection.js'

/** This worker has room for an event that waits, and does not take it: nothing but a new process helps. */
export class WorkerWedged extends Error {
  override readonly name = 'WorkerWedged'
  readonly code = 'worker_wedged'

  constructor() {
    const seconds = (WEDGE_LOOK_MS * WEDGE_LOOKS) / 1000
    super(`an event has waited for ${seconds} s, and this worker has room for it and does not take it`)
  }
}

/**
 * KEYS: wait, meta, active, probe. ARGV: ms that the probe lives. The event that is to be taken next; nil when there is
 * none, or when the queue is paused, runs as many events as it is allowed to, or has a limit of its speed. The write
 * fails where a worker could not take the event either: in a Redis that is full, or a replica.
 */
const NEXT = `
redis.call('SET', KEYS[4], '1', 'PX', ARGV[1])
local state = redis.call('HMGET', KEYS[2], 'paused', 'concurrency', 'max')
if state[1] or state[3] or (state[2] and redis.call('LLEN', KEYS[3]) >= tonumber(state[2])) then return false end
return redis.call('LINDEX', KEYS[1], -1)
`

type Scripted = {
  clerkNext: (wait: string, meta: string, active: string, probe: string, milliseconds: number) => Promise<string | null>
}

export type WedgeWatch = {
  client: RedisClient
  partitions: Partitions
  /** Whether this worker would take another event of the partition, as far as it knows. */
  hasRoom: (partition: Partition) => boolean
  wedged: (error: WorkerWedged) => void
  /** So many times as long as others a starved worker may take for an event. */
  patience?: () => number
}

/**
 * Tells once when the same event was found waiting, look after look, while this worker had room for it. A connection
 * that died without a word is the cause that is known; BullMQ and the client notice most of them sooner.
 *
 * Looks are counted and not seconds: after the process or Redis was frozen, the event has waited for long and nothing
 * was wrong. A look that fails, or is late, says nothing: that Redis is away is an outage and passes by itself.
 */
export function watchForWedge({ client, partitions, hasRoom, wedged, patience = () => 1 }: WedgeWatch): Disposable {
  client.defineCommand('clerkNext', { numberOfKeys: 4, lua: NEXT })
  const scripted = client as RedisClient & Scripted
  const stop = new AbortController()
  const seen = new Map<string, { next: string; looks: number }>()

  const look = async (partition: Partition): Promise<boolean> => {
    const { prefix, key } = partition
    const sinceMs = performance.now()
    const next = hasRoom(partition)
      ? await scripted
          .clerkNext(key('wait'), key('meta'), key('active'), key('clerk-mirror:probe'), PROBE_TTL_MS)
          .catch(() => null)
      : null
    const isLate = performance.now() - sinceMs > WEDGE_LOOK_MS
    if (next === null || isLate || !hasRoom(partition)) {
      seen.delete(prefix)
      return false
    }
    const before = seen.get(prefix)
    const looks = before?.next === next ? before.looks + 1 : 1
    seen.set(prefix, { next, looks })
    return looks >= WEDGE_LOOKS * patience()
  }

  const watch = async () => {
    while (!stop.signal.aborted) {
      await pause(WEDGE_LOOK_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {})
      if (stop.signal.aborted) return
      const found = await Promise.all([...partitions].map(look))
      if (found.includes(true) && !stop.signal.aborted) return wedged(new WorkerWedged())
    }
  }
  void watch()
  return { [Symbol.dispose]: () => stop.abort() }
}
