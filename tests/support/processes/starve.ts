import { setTimeout as pause } from 'node:timers/promises'
import type { Program } from './processes.js'

/** Milliseconds that a starved process runs at a time, and of a round in which each of them has one such turn. */
const TURN_MS = 20
const ROUND_MS = 2_000

/**
 * Lets each of these processes run for a hundredth of the time, as a machine with no processor to spare does. They live
 * all the while. Until disposed of.
 */
export function starve(programs: readonly Program[]): AsyncDisposable {
  const stop = new AbortController()
  const { signal } = stop
  const turns = async () => {
    while (!signal.aborted) {
      for (const program of programs) {
        program.signal('SIGCONT')
        await pause(TURN_MS, undefined, { signal }).catch(() => {})
        program.signal('SIGSTOP')
        await pause(ROUND_MS / programs.length - TURN_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
  for (const program of programs) program.signal('SIGSTOP')
  const turning = turns()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await turning
      for (const program of programs) program.signal('SIGCONT')
    },
  }
}
