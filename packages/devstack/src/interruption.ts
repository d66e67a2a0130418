/** A second signal that comes this soon is the first one again: the terminal sends it to us, and npm passes it on. */
const SAME_SIGNAL_MS = 1000
const LOOK_FOR_PARENT_EVERY_MS = 1000

export interface Interruption extends Disposable {
  /** Aborted when we are told to stop. */
  readonly signal: AbortSignal
}

/**
 * Listens for Ctrl-C and its relatives from now on. Whoever signals again does not want to wait: the process exits
 * at once, and its children end when they see that it is gone.
 */
export function interruption(npmLifecycleEvent: string | undefined): Interruption {
  const controller = new AbortController()
  let firstAtMs: number | undefined
  const stop = () => {
    firstAtMs ??= performance.now()
    if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(130)
    controller.abort()
  }
  for (const name of SIGNALS) process.on(name, stop)
  // npm passes SIGTERM on to its shell, which dies of it and tells us nothing.
  const startedBy = process.ppid
  const isOrphaned = () => npmLifecycleEvent !== undefined && process.ppid !== startedBy
  const watch = setInterval(() => isOrphaned() && controller.abort(), LOOK_FOR_PARENT_EVERY_MS).unref()
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearInterval(watch)
      for (const name of SIGNALS) process.off(name, stop)
    },
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
