/** A table row's cells, without the pipes around them. */
export type Row = readonly string[]

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const line = (cells: Row) => `| ${cells.map(cell).join(' | ')} |`

export const table = (head: Row, rows: readonly Row[]): string =>
  [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')

/** The rows of all tables of a document, without heads; each with the heading that it stands under. */
export function rowsOf(document: string): { heading: string; cells: Row }[] {
  const lines = document.split('\n')
  let heading = ''
  return lines.flatMap((text, index) => {
    heading = /^#+ (.+)$/.exec(text)?.[1] ?? heading
    const isHead = /^\|[-|]+$/.test(lines[index + 1] ?? '')
    if (!text.startsWith('| ') || isHead) return []
    const cells = text.slice(1, -1).split(/(?<!\\)\|/)
    return [{ heading, cells: cells.map((each) => each.replaceAll('\\|', '|').trim()) }]
  })
}

/** The texts in code quotes, in order. */
export const quoted = (text = ''): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)

/** The document with another text between `<!-- name -->` and `<!-- /name -->`. */
export function withPart(document: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const [head, rest = ''] = document.split(begin)
  const tail = rest.slice(rest.indexOf(end))
  if (!tail.startsWith(end)) throw new Error(`the document has no part ${name}`)
  return `${head}${begin}\n${part}\n${tail}`
}
