import { expect, test } from 'vitest'
import { codeFiles, files, read } from './tree.js'

/*
 * Our language is hard to read where relative clauses stand in the place of nouns. These words count such clauses:
 * bullmq, fastify and kysely have 0 to 1.1 of them in 1,000 words.
 */
const CLAUSES = /\b(?:what|who|whom|whose|whoever|whatever|nobody|somebody)\b/gi
const PER_1000_MAX = 6
const README_WORDS_MAX = 900

const withoutCode = (markdown: string) => markdown.replaceAll(/```[\s\S]*?```/g, '')
const wordsIn = (text: string) => text.match(/[A-Za-z']+/g)?.length ?? 0
const clausesIn = (text: string) => text.match(CLAUSES)?.length ?? 0

type Text = { path: string; text: string }

function densityOf(texts: readonly Text[]): number {
  const all = texts.map(({ text }) => text).join('\n')
  return (clausesIn(all) * 1000) / wordsIn(all)
}

/** With the files that have most of them, so that a failure says where to begin. */
const worst = (texts: readonly Text[]) =>
  texts
    .map(({ path, text }) => ({ path, count: clausesIn(text) }))
    .toSorted((a, b) => b.count - a.count)
    .slice(0, 10)
    .map(({ path, count }) => `${count} ${path}`)
    .join('\n')

const documents = files()
  .filter((path) => path.endsWith('.md'))
  .map((path): Text => ({ path, text: withoutCode(read(path)) }))

test('documents have nouns in the place of relative clauses, each of them', () => {
  expect(documents.length).toBeGreaterThan(20)
  expect(densityOf(documents), worst(documents)).toBeLessThanOrEqual(PER_1000_MAX)
  const above = documents.filter((document) => densityOf([document]) > PER_1000_MAX)
  expect(above.map(({ path }) => path)).toEqual([])
})

test('the README is short', () => {
  expect(wordsIn(withoutCode(read('README.md')))).toBeLessThanOrEqual(README_WORDS_MAX)
})

const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g
const comments = codeFiles().map((path): Text => ({ path, text: (read(path).match(COMMENT) ?? []).join('\n') }))

test('comments have nouns in the place of relative clauses', () => {
  expect(comments.length).toBeGreaterThan(500)
  expect(densityOf(comments), worst(comments)).toBeLessThanOrEqual(PER_1000_MAX)
})
