import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const COMPILING_MS = 300_000
const CLIENT = 'packages/mirror/src/generated'

const SCHEMA = `
generator client {
  provider     = "prisma-client"
  output       = "../${CLIENT}"
  moduleFormat = "esm"
}
datasource db {
  provider = "mysql"
}
model Row {
  id String @id
}
`

/** A repository with two workspaces, of which one imports the other. */
const FILES: Readonly<Record<string, string>> = {
  'package.json': '{ "private": true, "type": "module" }',
  'package-lock.json': '{}',
  'prisma/schema.prisma': SCHEMA,
  'tsconfig.json': '{ "files": [], "references": [{ "path": "packages/mirror" }, { "path": "packages/user" }] }',
  'packages/mirror/package.json': '{ "type": "module" }',
  'packages/mirror/tsconfig.json': workspace([]),
  'packages/mirror/src/index.ts': "import { word } from './word.js'\nexport const both = word + word\n",
  'packages/mirror/src/word.ts': "export const word: string = 'a'\n",
  'packages/user/package.json': '{ "type": "module" }',
  'packages/user/tsconfig.json': workspace([{ path: '../mirror' }]),
  'packages/user/src/index.ts':
    "import { both } from '../../mirror/dist/index.js'\nexport const length: number = both.length\n",
}

function workspace(references: readonly { path: string }[]): string {
  const compilerOptions = { rootDir: 'src', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' }
  return JSON.stringify({ extends: '../../tsconfig.base.json', compilerOptions, include: ['src'], references })
}

let root: string
const at = (path: string) => join(root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const changedMs = (path: string) => statSync(at(path)).mtimeMs

function write(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
}

function build(): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'clerk-mirror-build-'))
  for (const path of ['scripts/build.mjs', 'prisma.config.ts', 'tsconfig.base.json']) {
    cpSync(join(REPOSITORY, path), at(path), { recursive: true })
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), at('node_modules'))
})

beforeEach(() => {
  for (const name of ['words', 'word.ts']) rmSync(at(`packages/mirror/src/${name}`), { recursive: true, force: true })
  for (const [path, content] of Object.entries(FILES)) write(path, content)
  expect(build()).toEqual({ status: 0, output: '' })
}, COMPILING_MS)

afterAll(() => rmSync(root, { recursive: true, force: true }))

test('a second build writes nothing', { timeout: COMPILING_MS }, () => {
  const outputs = [`${CLIENT}/client.ts`, 'packages/mirror/dist/index.js', 'packages/user/dist/.tsbuildinfo']
  const before = outputs.map(changedMs)
  expect(build()).toEqual({ status: 0, output: '' })
  expect(outputs.map(changedMs)).toEqual(before)
})

test('a deleted output is written again', { timeout: COMPILING_MS }, () => {
  rmSync(at('packages/mirror/dist/word.js'))
  expect(build().status).toBe(0)
  expect(text('packages/mirror/dist/word.js')).toContain("'a'")
})

test('a source that comes with an older time, as from a backup, is compiled', { timeout: COMPILING_MS }, () => {
  write('packages/mirror/src/word.ts', "export const word: string = 'b'\n")
  utimesSync(at('packages/mirror/src/word.ts'), 1, 1)
  expect(build().status).toBe(0)
  expect(text('packages/mirror/dist/word.js')).toContain("'b'")
})

test('nothing is left of a source that moved, and an import of its old path fails', { timeout: COMPILING_MS }, () => {
  mkdirSync(at('packages/mirror/src/words'))
  renameSync(at('packages/mirror/src/word.ts'), at('packages/mirror/src/words/word.ts'))
  expect(build().output).toContain('./word.js')
  expect(existsSync(at('packages/mirror/dist/word.js'))).toBe(false)
  write('packages/mirror/src/index.ts', "import { word } from './words/word.js'\nexport const both = word + word\n")
  expect(build()).toEqual({ status: 0, output: '' })
  expect(existsSync(at('packages/mirror/dist/words/word.js'))).toBe(true)
})

test('a build that failed is not taken for a whole one', { timeout: COMPILING_MS }, () => {
  write('packages/mirror/src/word.ts', 'export const word: string = 1\n')
  expect(build().output).toContain('error TS2322')
  expect(build().output).toContain('error TS2322')
})

test('a changed type reaches the workspaces that import it', { timeout: COMPILING_MS }, () => {
  write('packages/mirror/src/index.ts', 'export const both: number = 2\n')
  const { status, output } = build()
  expect(status).not.toBe(0)
  expect(output).toContain('packages/user/src/index.ts')
})

test('stricter compiler options are heeded by every workspace', { timeout: COMPILING_MS }, () => {
  const base = text('tsconfig.base.json')
  try {
    write('tsconfig.base.json', base.replace('"strict": true', '"strict": true, "isolatedDeclarations": true'))
    expect(build().output).toContain('packages/mirror/src/index.ts')
  } finally {
    write('tsconfig.base.json', base)
  }
})

test('the client is generated again after a change of the schema, and after a loss', { timeout: COMPILING_MS }, () => {
  write('prisma/schema.prisma', SCHEMA.replace('Row', 'Line'))
  expect(build().status).toBe(0)
  expect(existsSync(at(`${CLIENT}/models/Line.ts`))).toBe(true)
  expect(existsSync(at(`${CLIENT}/models/Row.ts`))).toBe(false)
  rmSync(at(`${CLIENT}/models/Line.ts`))
  expect(build().status).toBe(0)
  expect(existsSync(at(`${CLIENT}/models/Line.ts`))).toBe(true)
})
