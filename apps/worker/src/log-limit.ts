import { BLOCKED_LOG_MS } from './policy.js'

/** Whether a cause is to be logged: at its first occurrence, and again when it still goes on after an hour. */
export function oncePerCause(clock: () => number = () => performance.now()): (cause: string) => boolean {
  const loggedAtMs = new Map<string, number>()
  return (cause) => {
    const nowMs = clock()
    if (nowMs - (loggedAtMs.get(cause) ?? Number.NEGATIVE_INFINITY) < BLOCKED_LOG_MS) return false
    loggedAtMs.set(cause, nowMs)
    return true
  }
}
