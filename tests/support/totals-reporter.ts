import { writeSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Prints `N passed, N failed` (and `, N skipped`) as the very last line of a run, for readers of that line alone. A
 * failing run never says `0 failed`, for any cause.
 */
export class TotalsReporter implements Reporter {
  #totals = { passed: 0, failed: 0, skipped: 0 }

  onInit(): void {
    // Not when the run ends: output of the servers' stop would come after it.
    process.once('exit', (code) => {
      const failed = code === 0 ? this.#totals.failed : Math.max(1, this.#totals.failed)
      const { passed, skipped } = this.#totals
      const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
      writeSync(process.stdout.fd, `${line}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], errorsOutsideTests: readonly SerializedError[]): void {
    const totals = { passed: 0, failed: errorsOutsideTests.length, skipped: 0 }
    for (const module of modules) {
      const states = Array.from(module.children.allTests(), (test) => test.result().state)
      // Interrupted tests stay pending: they have shown nothing.
      for (const state of states) totals[state === 'pending' ? 'failed' : state] += 1
      if (!module.ok() && !states.includes('failed')) totals.failed += 1 // the file itself did not load
    }
    this.#totals = totals
  }
}
