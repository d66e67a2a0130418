/** Rejects when the promise has not settled in time; the work behind it may still be done. */
export function withTimeout<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  // Each event passes here: Promise.race and finally would make ten promises of it.
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
    const settled = () => clearTimeout(timer)
    promise.then(settled, settled)
    promise.then(resolve, reject)
  })
}
