import { expect, test } from 'vitest'
import { REFUSALS } from '../../apps/ingest/src/errors.js'
import { quoted, rowsOf } from './markdown.js'
import { read, sources } from './tree.js'

const rows = rowsOf(read('docs/errors.md')).map(({ heading, cells: [codes, second = '', means, todo] }) => ({
  heading,
  codes: quoted(codes),
  second,
  means,
  todo,
}))
const CLASSES = 'Classes of failures'
const codeRows = rows.filter(({ heading }) => heading !== CLASSES)
const rowOf = (code: string) => codeRows.find(({ codes }) => codes.includes(code))

const code = sources().map(read).join('\n')
const captured = (pattern: RegExp, text = code) => [...text.matchAll(pattern)].map(([, found = '']) => found)

const FAILURE = /new Failure\(\s*'(\w+)',\s*'(\w+)'/g
/** Rows of the table of the servers' error numbers. */
const SERVER_NUMBER = /^ {2}(\d{4}): '(\w+)',/gm

/** What a union of texts lists: `type MigrationErrorCode = | 'migrations_missing' | …`. */
const unionMembers = (name: RegExp) =>
  captured(new RegExp(`type ${name.source} =((?:\\s*(?:/\\*\\*.*?\\*/|\\|?\\s*'\\w+'))+)`, 'g')).flatMap((union) =>
    captured(/'(\w+)'/g, union.replaceAll(/\/\*\*.*?\*\//g, '')),
  )

const failures = [...code.matchAll(FAILURE)].map(([, failureClass = '', name = '']) => ({ failureClass, name }))
const serverNumbers = [...read('packages/mirror/src/failures.ts').matchAll(SERVER_NUMBER)].map(
  ([, number = '', failureClass = '']) => ({ failureClass, name: `mysql_${number}` }),
)

/** Every code that a person may meet, in an answer, a log line, a dead letter or on a terminal. */
const codes = new Set([
  ...Object.keys(REFUSALS),
  ...captured(/refusal\(\d+, '(\w+)'/g),
  ...[...failures, ...serverNumbers].map(({ name }) => name),
  ...unionMembers(/\w+Code/),
  ...captured(/\bcode = '(\w+)'/g),
  // Codes that are put together: whatever their last part is, one row explains them.
  ...captured(/`(mysql_)\$\{/g).map((start) => `${start}…`),
  ...captured(/'(mysql_[a-z]+)'/g),
])

test('every code that the code can give is explained in docs/errors.md, and nothing else is', () => {
  expect(codeRows.flatMap((row) => row.codes).toSorted()).toEqual([...codes].toSorted())
})

test('every code comes with what it means and what to do', () => {
  expect(rows.filter(({ means, todo }) => !means?.trim() || !todo?.trim())).toEqual([])
})

test.each(Object.entries(REFUSALS))('the refusal %s is explained with its status', (name, { status }) => {
  expect(rowOf(name)?.second).toBe(String(status))
})

test.each([...failures, ...serverNumbers])(
  'the failure $name is explained with its class',
  ({ name, failureClass }) => {
    expect(rowOf(name)?.second).toBe(failureClass)
  },
)

test('every class of failures is explained', () => {
  const explained = rows.filter(({ heading }) => heading === CLASSES).flatMap((row) => row.codes)
  expect(explained).toEqual(unionMembers(/FailureClass/))
})
