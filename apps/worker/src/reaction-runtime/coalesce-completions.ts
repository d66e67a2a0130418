/**
 * Delays completed work until all work in flight is completed, for `maxWaitMs` at most, so that it ends together in one
 * turn of the event loop. Work that is alone ends at once.
 */
export function coalesceCompletions(maxWaitMs: number): <T>(work: Promise<T>) => Promise<T> {
  const ended: (() => void)[] = []
  let inFlight = 0
  let timer: NodeJS.Timeout | undefined
  const endAll = () => {
    clearTimeout(timer)
    timer = undefined
    for (const end of ended.splice(0)) end()
  }
  return async (work) => {
    inFlight += 1
    try {
      return await work
    } finally {
      inFlight -= 1
      await new Promise<void>((end) => {
        ended.push(end)
        if (inFlight === 0) endAll()
        else timer ??= setTimeout(endAll, maxWaitMs)
      })
    }
  }
}
