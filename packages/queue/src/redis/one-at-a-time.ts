/**
 * Runs one piece of work at a time, in the order of asking. Redis runs all commands that lie in one connection's buffer
 * before it serves another client: a hundred pages asked for at once would hold ingest up for all of them.
 */
export function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
}
