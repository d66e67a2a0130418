import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const RESULTS = join(import.meta.dirname, 'RESULTS.md')
const HEAD = `# Measured

Absolute numbers are one machine's. Each benchmark runs its reference in the same run: trust the ratios.
`

/** Puts the section in the place of the one with the same title, or behind the others. */
export function writeSection(title: string, text: string): void {
  const before = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : HEAD
  const [head = '', ...sections] = before.split(/^## /m)
  const others = sections.filter((section) => !section.startsWith(`${title}\n`)).map((each) => each.trimEnd())
  const all = [...others, `${title}\n\n${text.trimEnd()}`].map((section) => `## ${section}\n`)
  writeFileSync(RESULTS, [head.trimEnd(), '', ...all].join('\n'))
}
