import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Made by tools, or a developer's own: the entries of .gitignore. */
const NOT_OF_THE_TREE = /^(?:node_modules|dist|generated|\.git|\.data|\.env|.*\.log)$/

/** All paths here are relative to the root of the repository and written with slashes. */
export const fromRoot = (path: string): string => join(ROOT, path)
export const exists = (path: string): boolean => existsSync(fromRoot(path))
export const read = (path: string): string => readFileSync(fromRoot(path), 'utf8')

/** Every file that people write. */
export function files(folder = ''): string[] {
  const entries = readdirSync(fromRoot(folder), { withFileTypes: true })
  const kept = entries.filter(({ name }) => !NOT_OF_THE_TREE.test(name))
  return kept.flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    return entry.isDirectory() ? files(path) : [path]
  })
}

export const codeFiles = (): string[] => files().filter((path) => /\.(?:ts|mjs)$/.test(path))

/** The code of apps and packages, without tests. */
export const sources = (): string[] => codeFiles().filter((path) => /^(?:apps|packages)\/[^/]+\/src\//.test(path))

export const isApp = (workspace: string): boolean => workspace.startsWith('apps/')

/** The folder of the workspace that a file belongs to, such as `packages/queue`; null elsewhere. */
export const workspaceOf = (path: string): string | null => /^(?:apps|packages)\/[^/]+/.exec(path)?.[0] ?? null

export const workspaces = (): string[] =>
  ['apps', 'packages'].flatMap((group) =>
    readdirSync(fromRoot(group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => exists(`${folder}/package.json`)),
  )

export type Manifest = {
  name: string
  version: string
  license?: string
  engines?: Record<string, string>
  scripts?: Record<string, string>
  allowScripts?: Record<string, boolean>
  exports?: Record<string, { source: string }>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

/** The package.json of a folder; of the root when the folder is ''. */
export const manifestOf = (folder: string): Manifest => JSON.parse(read(join(folder, 'package.json')))
