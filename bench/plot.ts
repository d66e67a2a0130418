import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { thousands } from './statistics.js'

export type Bar = { name: string; about: string; perS: number; is: 'ours' | 'usual' | 'limit' }

const WIDTH = 760
const LABELS = 300
const ROW = 34
const TOP = 44
/** Room for the number behind the longest bar. */
const NUMBERS = 90

/** Bars for events per second. Its colours follow the reader's light or dark theme, as the page around it does. */
export function plotted(title: string, note: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ perS }) => perS))
  const height = TOP + bars.length * ROW + 28
  const rows = bars.map(({ name, about, perS, is }, index) => {
    const y = TOP + index * ROW
    const width = Math.max(1, (perS / most) * (WIDTH - LABELS - NUMBERS))
    return [
      `<text x="${LABELS - 12}" y="${y + 13}" text-anchor="end" class="name">${name}</text>`,
      `<text x="${LABELS - 12}" y="${y + 26}" text-anchor="end" class="about">${about}</text>`,
      `<rect x="${LABELS}" y="${y + 4}" width="${width.toFixed(1)}" height="20" rx="3" class="${is}"/>`,
      `<text x="${LABELS + width + 8}" y="${y + 19}" class="value">${thousands(perS)}</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
<style>
text { font-family: system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.name { font-size: 13px }
.about, .note { font-size: 10.5px; fill: #59636e }
.value { font-size: 13px; font-variant-numeric: tabular-nums }
.ours { fill: #1a7f64 }
.usual { fill: #c2570c }
.limit { fill: #9aa4af }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .about, .note { fill: #9198a1 }
  .ours { fill: #3fb68b }
  .usual { fill: #f0883e }
  .limit { fill: #59636e }
}
</style>
<text x="0" y="20" class="title">${title}</text>
${rows.join('\n')}
<text x="0" y="${height - 8}" class="note">${note}</text>
</svg>
`
}

/** For the README. */
export const writePlot = (svg: string): void => writeFileSync(join(import.meta.dirname, '../docs/throughput.svg'), svg)
