const BAR_COLUMNS = 30
const REDRAW_AFTER_MS = 100
const LINE_AFTER_MS = 1000

export type Progress = { done: number; of: number }

export type ProgressView = {
  show: (progress: Progress) => void
  /** Keeps the last text and begins a new line. */
  end: () => void
}

/** On standard error: a bar that grows on a terminal, for other programs a JSON line a second and one at the end. */
export function progressView(step: string, output: NodeJS.WriteStream = process.stderr): ProgressView {
  const draw = output.isTTY
    ? ({ done, of }: Progress) => `\r  ${step} ${bar(done, of)} ${done}/${of}\x1b[K`
    : (progress: Progress) => `${JSON.stringify({ event: `${step}.progress`, ...progress })}\n`
  const everyMs = output.isTTY ? REDRAW_AFTER_MS : LINE_AFTER_MS
  let shownAtMs = performance.now()
  let hidden: Progress | null = null
  let isShown = false
  const write = (progress: Progress) => {
    output.write(draw(progress))
    shownAtMs = performance.now()
    hidden = null
    isShown = true
  }
  return {
    show(progress) {
      if (performance.now() - shownAtMs >= everyMs) write(progress)
      else hidden = progress
    },
    end() {
      if (hidden) write(hidden)
      if (isShown && output.isTTY) output.write('\n')
    },
  }
}

function bar(done: number, of: number): string {
  const filled = of === 0 ? BAR_COLUMNS : Math.floor((done / of) * BAR_COLUMNS)
  return '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled)
}
