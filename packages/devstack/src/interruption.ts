/** A second signal this soon is a copy of the first: the terminal sends it, and npm passes it on. */
const SAME_SIGNAL_MS = 1000
const LOOK_FOR_PARENT_EVERY_MS = 1000

export interface Interruption extends Disposable {
  /** Aborted when the program is told to stop. */
  readonly signal: AbortSignal
}

/**
 * Listens for Ctrl-C and similar signals from now on. A second signal ends the process at once, and its children end
 * when they notice.
 */
export function interruption(npmLifecycleEvent: string | undefined): Interruption {
  const controller = new AbortController()
  let firstAtMs: number | undefined
  const forget = () => {
    for (const name of SIGNALS) process.off(name, stop)
  }
  const stop = (name: NodeJS.Signals) => {
    firstAtMs ??= performance.now()
    controller.abort()
    if (performance.now() - firstAtMs < SAME_SIGNAL_MS) return
    forget()
    process.kill(process.pid, name)
  }
  for (const name of SIGNALS) process.on(name, stop)
  // npm passes SIGTERM on to its shell, which dies of it without passing it on.
  const startedBy = process.ppid
  const isOrphaned = () => npmLifecycleEvent !== undefined && process.ppid !== startedBy
  const watch = setInterval(() => isOrphaned() && controller.abort(), LOOK_FOR_PARENT_EVERY_MS).unref()
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearInterval(watch)
      forget()
    },
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
