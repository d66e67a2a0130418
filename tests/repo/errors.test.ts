import { expect, test } from 'vitest'
import { quoted, rowsOf } from './markdown.js'
import { files, fromRoot, read, sources } from './tree.js'

const rows = rowsOf(read('docs/errors.md')).map(({ heading, cells: [codes, second = '', means, todo] }) => ({
  heading,
  codes: quoted(codes),
  second,
  means,
  todo,
}))
const CLASSES = 'Classes of failures'
const codeRows = rows.filter(({ heading }) => heading !== CLASSES)
/** In the second column; a code that two apps use may have two rows. */
const secondOf = (code: string) => codeRows.filter(({ codes }) => codes.includes(code)).map(({ second }) => second)

type Refusals = Readonly<Record<string, { status: number }>>

/** The error codes of each app that answers over HTTP. */
const refusals = await Promise.all(
  sources()
    .filter((path) => /^apps\/\w+\/src\/errors\.ts$/.test(path))
    .map(async (path) => {
      const { REFUSALS }: { REFUSALS: Refusals } = await import(fromRoot(path))
      return Object.entries(REFUSALS).map(([name, { status }]) => ({ path, name, status: String(status) }))
    }),
)
const REFUSED = refusals.flat()

const code = sources().map(read).join('\n')
const captured = (pattern: RegExp, text = code) => [...text.matchAll(pattern)].map(([, found = '']) => found)

const FAILURE = /new Failure\(\s*'(\w+)',\s*'(\w+)'/g
/** Rows of the table of the servers' error numbers. */
const SERVER_NUMBER = /^ {2}(\d{4}): \['(\w+)'/gm

/** The members of a union of texts: `type MigrationErrorCode = | 'migrations_missing' | …`. */
const unionMembers = (name: RegExp) =>
  captured(new RegExp(`type ${name.source} =((?:\\s*(?:/\\*\\*.*?\\*/|\\|?\\s*'\\w+'))+)`, 'g')).flatMap((union) =>
    captured(/'(\w+)'/g, union.replaceAll(/\/\*\*.*?\*\//g, '')),
  )

const failures = [...code.matchAll(FAILURE)].map(([, failureClass = '', name = '']) => ({ failureClass, name }))
const serverNumbers = [...read('packages/mirror/src/database/server-errors.ts').matchAll(SERVER_NUMBER)].map(
  ([, number = '', failureClass = '']) => ({ failureClass, name: `mysql_${number}` }),
)

/** Every code that a person may meet, in an answer, a log line, a dead letter or on a terminal. */
const codes = new Set([
  ...REFUSED.map(({ name }) => name),
  ...captured(/refusal\(\d+, '(\w+)'/g),
  ...[...failures, ...serverNumbers].map(({ name }) => name),
  ...unionMembers(/\w+Code/),
  ...captured(/\bcode = '(\w+)'/g),
  // Composed codes: one row explains them for every last part.
  ...captured(/`(mysql_)\$\{/g).map((start) => `${start}…`),
  ...captured(/'(mysql_[a-z]+)'/g),
])

test('every code that the code can give is explained in docs/errors.md, and nothing else is', () => {
  const explained = new Set(codeRows.flatMap((row) => row.codes))
  expect([...explained].toSorted()).toEqual([...codes].toSorted())
})

test('every code comes with what it means and what to do', () => {
  expect(rows.filter(({ means, todo }) => !means?.trim() || !todo?.trim())).toEqual([])
})

test.each(REFUSED)('the refusal $name of $path is explained with its status', ({ name, status }) => {
  expect(secondOf(name)).toContain(status)
})

test.each([...failures, ...serverNumbers])(
  'the failure $name is explained with its class',
  ({ name, failureClass }) => {
    expect(secondOf(name)).toContain(failureClass)
  },
)

test('every class of failures is explained', () => {
  const explained = rows.filter(({ heading }) => heading === CLASSES).flatMap((row) => row.codes)
  expect(explained).toEqual(unionMembers(/FailureClass/))
})

/** One table for each boundary: MySQL's answers, failures of a connect, and Redis' errors. */
const BOUNDARIES = {
  'packages/mirror/src/database/server-errors.ts': SERVER_NUMBER,
  'packages/mirror/src/database/connect-failure.ts': /^ {2}(\w+): 'database_/gm,
  'packages/queue/src/enqueue/redis-errors.ts': /^ {2}(\w+): 'redis_/gm,
}

test.each(Object.entries(BOUNDARIES))('every code in the table of %s is named in a test', (path, row) => {
  const tests = files('tests').filter((file) => file.endsWith('.test.ts') && !file.startsWith('tests/repo/'))
  const text = tests.map(read).join('\n')
  const inTable = captured(row, read(path))
  expect(inTable.length).toBeGreaterThan(10)
  expect(inTable.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([])
})
