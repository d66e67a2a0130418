import { styleText } from 'node:util'
import { printable } from '@clerk-mirror/runtime'

/** A destination of output: a terminal, a log or another program. */
export interface Output {
  write(text: string): unknown
  isTTY?: boolean
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

export function styled(output: Output, style: Style, text: string): string {
  return output.isTTY === true ? styleText(style, text) : text
}

/** Two columns for Chinese, Japanese, Korean and emoji; none for combining characters. */
const WIDE =
  /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Text in exactly this many columns of a terminal: padded, or cut with an ellipsis. */
export function fitted(text: string, columns: number): string {
  const characters = [...GRAPHEMES.segment(visible(text))].map(({ segment }) => ({ segment, width: width(segment) }))
  const total = characters.reduce((sum, character) => sum + character.width, 0)
  if (total <= columns) return text === '' ? ' '.repeat(columns) : visible(text) + ' '.repeat(columns - total)
  let cut = ''
  let used = 0
  for (const character of characters) {
    if (used + character.width > columns - 1) break
    cut += character.segment
    used += character.width
  }
  return `${cut}…${' '.repeat(columns - 1 - used)}`
}

export function columnsOf(text: string): number {
  let columns = 0
  for (const { segment } of GRAPHEMES.segment(visible(text))) columns += width(segment)
  return columns
}

const width = (grapheme: string) => (WIDE.test(grapheme) ? 2 : /^\p{M}/u.test(grapheme) ? 0 : 1)

/** People choose their names: one that holds an escape sequence must not command the terminal that shows it. */
const visible = (text: string) => printable(text.toWellFormed(), () => '·')

const BAR_COLUMNS = 30

export function bar(done: number, of: number): string {
  const filled = of === 0 ? BAR_COLUMNS : Math.floor((done / of) * BAR_COLUMNS)
  return '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled)
}
