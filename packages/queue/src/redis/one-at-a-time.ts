/**
 * Runs one piece of work at a time, in the order of the calls. Redis runs all commands in one connection's buffer
 * before it serves another client: a hundred pages requested at once would hold up ingest for all of them.
 */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
}
