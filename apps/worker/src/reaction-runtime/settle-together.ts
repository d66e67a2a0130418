/**
 * Has work that is over wait for what else is under way, so many ms at most: so it ends together, in one turn of the
 * event loop. Alone, it ends at once.
 */
export function inCompany(mostMs: number): <T>(work: Promise<T>) => Promise<T> {
  const over: (() => void)[] = []
  let underWay = 0
  let timer: NodeJS.Timeout | undefined
  const endAll = () => {
    clearTimeout(timer)
    timer = undefined
    for (const end of over.splice(0)) end()
  }
  return async (work) => {
    underWay += 1
    try {
      return await work
    } finally {
      underWay -= 1
      await new Promise<void>((end) => {
        over.push(end)
        if (underWay === 0) endAll()
        else timer ??= setTimeout(endAll, mostMs)
      })
    }
  }
}
