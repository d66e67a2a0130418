import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, oursOf, packageOf } from './imports.js'
import { codeFiles, exists, isApp, manifestOf, read, sources, workspaceOf, workspaces } from './tree.js'

/**
 * The npm packages that these files import. Prisma's generated client, which is no file of the tree, imports its
 * runtime.
 */
function imported(paths: readonly string[]): string[] {
  const specifiers = paths.flatMap(importsOf).map(({ to }) => to ?? '.')
  const names = specifiers.map((to) => (/^\.{1,2}\/generated\//.test(to) ? '@prisma/client' : packageOf(to)))
  return [...new Set(names)].filter((name) => name !== null).toSorted()
}

const dependenciesOf = (folder: string) => Object.keys(manifestOf(folder).dependencies ?? {}).toSorted()

type References = { references: { path: string }[] }
const referencesOf = (folder: string) => {
  const { references }: References = JSON.parse(read(posix.join(folder, 'tsconfig.json')))
  return references.map(({ path }) => posix.join(folder, path)).toSorted()
}

test.each(workspaces())('%s is named for its folder and depends on exactly what it imports', (folder) => {
  expect(manifestOf(folder).name).toBe(`@clerk-mirror/${posix.basename(folder)}`)
  expect(dependenciesOf(folder)).toEqual(imported(sources().filter((path) => workspaceOf(path) === folder)))
})

test.each(workspaces())('%s is compiled after exactly the packages that it depends on', (folder) => {
  const ours = dependenciesOf(folder).flatMap((name) => oursOf(name) ?? [])
  expect(referencesOf(folder)).toEqual(ours.map((name) => `packages/${name}`))
})

test('the build compiles every app and package', () => {
  expect(referencesOf('')).toEqual(workspaces().toSorted())
})

const ENTRY_POINTS: Readonly<Record<string, readonly string[]>> = {
  'packages/queue': ['./enqueue', './gauges', './consume', './operate'],
}

test.each(workspaces())('%s has its entry points if it is a package, and none if it is an app', (folder) => {
  const entries = Object.entries(manifestOf(folder).exports ?? {})
  expect(entries.map(([name]) => name)).toEqual(isApp(folder) ? [] : (ENTRY_POINTS[folder] ?? ['.']))
  for (const [, { source }] of entries) expect(exists(posix.join(folder, source))).toBe(true)
})

test('a dependency has the same version wherever it is named, and ours the one that they have', () => {
  const manifests = ['', ...workspaces()].map(manifestOf)
  const named = manifests.flatMap(({ name, version, dependencies, devDependencies }) =>
    Object.entries({ [name]: version, ...dependencies, ...devDependencies }),
  )
  const versions = new Map(named)
  expect(named.filter(([name, version]) => versions.get(name) !== version)).toEqual([])
})

test('what tests and tools import is named by the root or by a workspace, not left to chance', () => {
  const { devDependencies = {} } = manifestOf('')
  const named = new Set([...Object.keys(devDependencies), ...workspaces().flatMap(dependenciesOf)])
  const outside = codeFiles().filter((path) => workspaceOf(path) === null)
  const isNamed = (name: string) => named.has(name) || workspaces().some((folder) => manifestOf(folder).name === name)
  expect(imported(outside).filter((name) => !isNamed(name))).toEqual([])
})

test('every manifest names the licence of the repository', () => {
  expect(read('LICENSE')).toMatch(/^MIT License\n/)
  expect(['', ...workspaces()].filter((folder) => manifestOf(folder).license !== 'MIT')).toEqual([])
})

test('every script that runs a compiled program has stack traces name the TypeScript', () => {
  const { scripts = {} } = manifestOf('')
  const programs = Object.values(scripts).filter((script) => script.includes('/dist/'))
  expect(programs.length).toBeGreaterThan(0)
  expect(programs.filter((script) => !script.includes('node --enable-source-maps '))).toEqual([])
})

test('BullMQ is pinned to one release, for our scripts write its layout', () => {
  expect(manifestOf('packages/queue').dependencies?.['bullmq']).toMatch(/^\d+\.\d+\.\d+$/)
})
