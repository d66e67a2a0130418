import { TURN_GAP_MS, TURN_RUNS } from '../limits.js'

/** Resolves when a run may begin. */
export type Turn = () => Promise<void>

/**
 * Reactions give way to events: while the worker is behind with those, only a few runs of all its reactions begin at a
 * time, in the order in which they came; else all begin at once. Runs never stand still, for a worker may be behind for
 * hours. Once disposed of it holds nobody back.
 */
export function giveWay(isBehind: () => boolean): Turn & Disposable {
  const waiting: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const letGo = (most: number) => {
    for (const begin of waiting.splice(0, most)) begin()
  }
  const look = () => {
    letGo(isBehind() ? TURN_RUNS : waiting.length)
    timer = waiting.length > 0 ? setTimeout(look, TURN_GAP_MS) : undefined
  }
  const turn = () =>
    new Promise<void>((begin) => {
      if (isOver || (timer === undefined && !isBehind())) return begin()
      waiting.push(begin)
      timer ??= setTimeout(look, TURN_GAP_MS)
    })
  return Object.assign(turn, {
    [Symbol.dispose]() {
      isOver = true
      clearTimeout(timer)
      letGo(waiting.length)
    },
  })
}
