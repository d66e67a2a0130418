import { THROTTLE_GAP_MS, THROTTLED_RUNS } from '../limits.js'

/** Resolves when a run may begin. */
export type Throttle = () => Promise<void>

/**
 * Events take precedence over reactions: while the worker is saturated with events, only a few runs of all its reactions
 * begin at a time, first come, first served; otherwise all begin at once. Runs never stop altogether, because a worker
 * may be saturated for hours. A disposed throttle lets everything through.
 */
export function throttleWhileSaturated(isSaturated: () => boolean): Throttle & Disposable {
  const waiting: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined
  let isDisposed = false
  const beginNext = (count: number) => {
    for (const begin of waiting.splice(0, count)) begin()
  }
  const tick = () => {
    beginNext(isSaturated() ? THROTTLED_RUNS : waiting.length)
    timer = waiting.length > 0 ? setTimeout(tick, THROTTLE_GAP_MS) : undefined
  }
  const throttle = () =>
    new Promise<void>((begin) => {
      if (isDisposed || (timer === undefined && !isSaturated())) return begin()
      waiting.push(begin)
      timer ??= setTimeout(tick, THROTTLE_GAP_MS)
    })
  return Object.assign(throttle, {
    [Symbol.dispose]() {
      isDisposed = true
      clearTimeout(timer)
      beginNext(waiting.length)
    },
  })
}
