import type { Mirror } from '@clerk-mirror/mirror'

/** Times of creation from `fromMs` to `toMs`; no user here was created at a border. Null is the beginning. */
export type CreationWindow = { fromMs: number | null; toMs: number }

/** The times of creation of all users here that are judged, ascending. */
export async function readUserTimes(mirror: Mirror, beforeMs: number, signal: AbortSignal): Promise<number[]> {
  const times: number[] = []
  let next: bigint | null = null
  do {
    const part = await mirror.userTimes(next)
    for (const time of part.createdAtMs) if (time < beforeMs) times.push(time)
    next = part.next
    signal.throwIfAborted()
  } while (next !== null)
  return times.sort((a, b) => a - b)
}

/**
 * Windows with equal shares of the users here. Clerk does not say whether a border belongs to its window, so each
 * border is a time at which no user was created.
 */
export function windowsOf(times: readonly number[], toMs: number, atMost: number): CreationWindow[] {
  const count = Math.max(1, Math.min(atMost, times.length))
  const borders = new Set<number>()
  for (let at = 1; at < count; at += 1) {
    const border = freeTimeBehind(times, Math.floor((at * times.length) / count) - 1)
    if (border < toMs) borders.add(border)
  }
  const sorted = [...borders].sort((a, b) => a - b)
  return [...sorted, toMs].map((to, at) => ({ fromMs: sorted[at - 1] ?? null, toMs: to }))
}

function freeTimeBehind(times: readonly number[], index: number): number {
  let free = (times[index] ?? 0) + 1
  for (let at = index + 1; (times[at] ?? Number.POSITIVE_INFINITY) <= free; at += 1) {
    if (times[at] === free) free += 1
  }
  return free
}

export function countWithin(times: readonly number[], { fromMs, toMs }: CreationWindow): number {
  return placeOf(times, toMs) - (fromMs === null ? 0 : placeOf(times, fromMs))
}

/** How many times are earlier. */
function placeOf(times: readonly number[], timeMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] ?? 0) < timeMs) low = middle + 1
    else high = middle
  }
  return low
}
