import { expect, test } from 'vitest'
import { rowsOf } from './markdown.js'
import { files, read } from './tree.js'

/** Our claims about security; each names the tests that hold it. */
const DOCUMENTS = ['SECURITY.md', 'docs/hardening.md']

const testsIn = (text: string) => [...text.matchAll(/`(tests\/[^`\s]+)`/g)].map(([, path = '']) => path)

const isThere = (named: string) => {
  const pattern = new RegExp(`^${named.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
  return files('tests').some((path) => pattern.test(path))
}

test.each(DOCUMENTS)('every test that %s names is there', (document) => {
  const named = testsIn(read(document))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((each) => !isThere(each))).toEqual([])
})

test('every row of SECURITY.md that says who may do what, or what stands in the way, names a test', () => {
  const rows = rowsOf(read('SECURITY.md'))
  expect(rows.length).toBeGreaterThan(20)
  const bare = rows.filter(({ cells }) => testsIn(cells.join(' ')).length === 0)
  expect(bare.map(({ cells }) => cells[0])).toEqual([])
})

test('every section of docs/hardening.md names a test', () => {
  const sections = read('docs/hardening.md')
    .split(/^(?=##+ )/m)
    .slice(1)
  expect(sections.length).toBeGreaterThan(4)
  const bare = sections.filter((section) => testsIn(section).length === 0)
  expect(bare.map((section) => section.split('\n', 1)[0])).toEqual([])
})
