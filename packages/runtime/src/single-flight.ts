/** Calls that arrive while one is in flight share its result, failures included; the next call after it runs again. */
export function singleFlight<Args extends unknown[], T>(
  run: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  let inFlight: Promise<T> | undefined
  return (...args) => {
    inFlight ??= run(...args).finally(() => {
      inFlight = undefined
    })
    return inFlight
  }
}
