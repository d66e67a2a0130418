import { bar, type Output } from './terminal.js'
import type { Progress } from './traffic-run.js'

export interface ProgressView {
  show(progress: Progress): void
  /** Keeps the last output and begins a new line. */
  end(): void
}

const STEPS = { send: 'accepted', apply: 'applied' } as const
// Often enough to look alive, seldom enough to cost nothing beside the measured work.
const REDRAW_AFTER_MS = 80
const LINE_AFTER_MS = 1000

/** A bar for each step that grows in place. */
export function progressBars(output: Output): ProgressView {
  let step: Progress['step'] | undefined
  let shownAtMs = 0
  return {
    show(progress) {
      const isNext = progress.step !== step
      const isLast = progress.done === progress.of
      if (!isNext && !isLast && performance.now() - shownAtMs < REDRAW_AFTER_MS) return
      if (isNext && step !== undefined) output.write('\n')
      step = progress.step
      shownAtMs = performance.now()
      const retries = 'retries' in progress && progress.retries > 0 ? `  ${progress.retries} tried again` : ''
      const bars = bar(progress.done, progress.of)
      output.write(`\r  ${STEPS[step].padEnd(9)} ${bars} ${progress.done}/${progress.of}${retries}\x1b[K`)
    },
    end() {
      if (step !== undefined) output.write('\n')
      step = undefined
    },
  }
}

/** A line a second while there is progress, for logs and other programs. */
export function progressLines(write: (progress: Progress) => void): ProgressView {
  let last: Progress | undefined
  let shownAtMs = 0
  return {
    show(progress) {
      const isNext = progress.step !== last?.step
      const isNews = isNext || progress.done !== last?.done
      const isDue = isNext || progress.done === progress.of || performance.now() - shownAtMs >= LINE_AFTER_MS
      if (!isNews || !isDue) return
      last = progress
      shownAtMs = performance.now()
      write(progress)
    },
    end() {},
  }
}

export function progressText(progress: Progress): string {
  return `  ${STEPS[progress.step].padEnd(9)} ${progress.done}/${progress.of}`
}
