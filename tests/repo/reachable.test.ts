import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, sourceFile, targetOf } from './imports.js'
import { codeFiles, files, manifestOf, read, sources, workspaceOf, workspaces } from './tree.js'

const NAMED_PROGRAM = /\w+\/[\w./-]+\.(?:ts|m?js)/g
const QUOTED_FILE = /['"`]([^'"`\s]+\.(?:ts|m?js))['"`]/g

/** The roots: the entry points of packages, the apps, and the programs that scripts and containers name. */
function entries(): string[] {
  const naming = ['package.json', ...files().filter((path) => /^(?:Dockerfile|docker-compose\.yml)$/.test(path))]
  const programs = naming.flatMap((path) => read(path).match(NAMED_PROGRAM) ?? []).map(sourceFile)
  const entries = workspaces().flatMap((folder) => [
    ...Object.values(manifestOf(folder).exports ?? {}).map(({ source }) => posix.join(folder, source)),
    `${folder}/src/main.ts`,
  ])
  return [...programs, ...entries].filter((path) => path !== null)
}

/** The files that a file imports, and those that it names in order to start them as a process of their own. */
function usedBy(path: string, all: readonly string[]): string[] {
  const imports = importsOf(path)
  const quoted = [...read(path).matchAll(QUOTED_FILE)].map(([, name = '']) => name)
  const started = quoted.filter((name) => !imports.some(({ to }) => to === name)).map(sourceName)
  const isStarted = (other: string) => workspaceOf(path) === workspaceOf(other) && started.includes(sourceName(other))
  return [...imports.map(targetOf), ...all.filter(isStarted)].filter((target) => target !== null)
}

const sourceName = (path: string) => posix.basename(path).replace(/\.js$/, '.ts')

function reachableFrom(begin: readonly string[]): Set<string> {
  const all = codeFiles()
  const reached = new Set(begin)
  // Grows during the walk: a set visits members that are added to it.
  for (const path of reached) {
    if (all.includes(path)) for (const target of usedBy(path, all)) reached.add(target)
  }
  return reached
}

test('every source file is used by a program or an entry point, and not by tests alone', () => {
  const reached = reachableFrom(entries())
  expect(sources().filter((path) => !reached.has(path))).toEqual([])
})

test('every file among the tests is a test or used by one', () => {
  const tests = codeFiles().filter((path) => path.endsWith('.test.ts'))
  const reached = reachableFrom([...tests, ...entries(), 'vitest.config.ts'])
  expect(codeFiles().filter((path) => path.startsWith('tests/') && !reached.has(path))).toEqual([])
})
