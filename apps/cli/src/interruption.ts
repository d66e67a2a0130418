const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export type Interruption = Disposable & { signal: AbortSignal }

/** From now on Ctrl-C asks the command to stop where it can be gone on with; a second one ends the process. */
export function interruption(): Interruption {
  const controller = new AbortController()
  const stop = () => {
    release()
    controller.abort()
  }
  const release = () => {
    for (const name of SIGNALS) process.off(name, stop)
  }
  for (const name of SIGNALS) process.on(name, stop)
  return { signal: controller.signal, [Symbol.dispose]: release }
}
