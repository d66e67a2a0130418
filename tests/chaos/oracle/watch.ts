import { setTimeout as pause } from 'node:timers/promises'
import { BATCH_MAX, IN_FLIGHT_MAX } from '../../../packages/queue/src/limits.js'
import type { Violation } from '../../support/invariants.js'
import type { Fleet } from '../stage/fleet.js'
import type { Site } from '../stage/site.js'

export type Watch = {
  snapshots: () => number
  /** Ends the watch. The violations of any moment. */
  end: () => Promise<{ halfCommitted: Violation[]; beyondBounds: string[] }>
}

const LOOK_MS = 500
/** The look itself must not become the load. */
const REST_FACTOR = 8
const ANSWER_WITHIN_MS = 1_000

/** Looks on while everything runs: snapshots of the tables, and the workers' own numbers. */
export function openWatch(site: Site, fleet: Fleet): Watch {
  const ending = new AbortController()
  const half = new Map<string, Violation>()
  const beyond = new Set<string>()
  let snapshots = 0
  const run = async () => {
    while (!ending.signal.aborted) {
      const startedMs = performance.now()
      try {
        for (const found of await site.oracle.halfCommitted()) half.set(`${found.object} ${found.what}`, found)
        snapshots += 1
      } catch {
        // The database is away on purpose.
      }
      for (const { member } of fleet.workers) for (const found of await boundsOf(member.url)) beyond.add(found)
      const restMs = Math.max(LOOK_MS, REST_FACTOR * (performance.now() - startedMs))
      await pause(Math.min(restMs, 10_000), undefined, { signal: ending.signal }).catch(() => {})
    }
  }
  const ended = run()
  return {
    snapshots: () => snapshots,
    async end() {
      ending.abort()
      await ended
      return { halfCommitted: [...half.values()], beyondBounds: [...beyond] }
    },
  }
}

/** The worker's bounds, as its metrics show them: events in hand, and in one transaction. */
async function boundsOf(url: string): Promise<string[]> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    const text = await response.text()
    const value = (name: string) => Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
    const inFlight = value('clerk_mirror_in_flight_events')
    const batches = value('clerk_mirror_batch_events_count')
    const allowed = value(`clerk_mirror_batch_events_bucket\\{[^}]*le="${BATCH_MAX}"`)
    return [
      ...(inFlight > IN_FLIGHT_MAX ? [`${inFlight} events in hand`] : []),
      ...(batches > allowed ? [`${batches - allowed} batches of more than ${BATCH_MAX} events`] : []),
    ]
  } catch {
    return [] // it is dead, frozen or starting
  }
}
