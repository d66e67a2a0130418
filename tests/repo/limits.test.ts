import { expect, test } from 'vitest'
import { codeFiles, files, read } from './tree.js'

const LINES_MAX = 400

/** Places that grow without a reason: every content has a better name. */
const NO_NAME = /^(?:common|shared|utils?|helpers?)$/

const containing = (paths: readonly string[], pattern: RegExp) => paths.filter((path) => pattern.test(read(path)))

test('no file of code is longer than 400 lines', () => {
  const lines = (path: string) => read(path).split('\n').length - 1
  expect(codeFiles().filter((path) => lines(path) > LINES_MAX)).toEqual([])
})

test('no package, folder or file is called common, shared, utils or helpers', () => {
  const unnamed = files().filter((path) => path.split(/[/.-]/).some((word) => NO_NAME.test(word)))
  expect(unnamed).toEqual([])
})

test('no rule of the compiler or of Biome is suppressed', () => {
  expect(containing(codeFiles(), /@ts-(?:ignore|expect-error|nocheck)|biome[-]ignore/)).toEqual([])
})

test('the rules that Biome keeps are switched on: no any, no process.env, no cycles, no function over 70 lines', () => {
  const { rules } = JSON.parse(read('biome.json')).linter
  expect(rules).toMatchObject({
    complexity: { noExcessiveLinesPerFunction: { level: 'error', options: { maxLines: 70 } } },
    style: { noProcessEnv: 'error' },
    suspicious: { noExplicitAny: 'error', noImportCycles: { level: 'error', options: { ignoreTypes: false } } },
  })
})

test('nobody reads the environment by a way that Biome does not see', () => {
  const around =
    /process(?:\?\.)?\[|\benv\b[^=\n]*\} = (?:globalThis\.)?process\b|(?:node:|['"])process\b['"]|globalThis\.process/
  expect(containing(codeFiles(), around)).toEqual([])
})

test('what is still to be done is an issue and not a comment', () => {
  expect(containing(files(), /\b(?:TO[D]O|FIX[M]E)\b/)).toEqual([])
})
