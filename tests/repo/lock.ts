import { posix } from 'node:path'
import { read } from './tree.js'

export type Locked = {
  name?: string
  version?: string
  license?: string
  resolved?: string
  integrity?: string
  link?: boolean
  optional?: boolean
  hasInstallScript?: boolean
  engines?: { node?: string } | string[]
  os?: string[]
  cpu?: string[]
  libc?: string[]
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

const { packages }: { packages: Record<string, Locked> } = JSON.parse(read('package-lock.json'))

/** Third parties by their path. */
export const installed = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link)

/** Where Node would find a dependency of the package at this path; undefined when it is not locked. */
export function locked(path: string, name: string): Locked | undefined {
  return packages[lockedPath(path, name) ?? '']
}

function lockedPath(path: string, name: string): string | undefined {
  for (let folder = path; ; folder = posix.dirname(folder)) {
    const found = posix.join(folder, 'node_modules', name)
    if (packages[found]) return found
    if (folder === '.' || folder === '') return undefined
  }
}

/** The name under which a package was published. */
export const nameOf = (path: string): string =>
  packages[path]?.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

/** Third parties that the image ships: the workspaces' dependencies and theirs, and nothing optional. */
export function shipped(): [string, Locked][] {
  const reached = new Set(Object.keys(packages).filter((path) => /^(?:apps|packages)\//.test(path)))
  // Grows while it is walked: a set visits later additions.
  for (const path of reached) {
    const { link, resolved = '', dependencies, peerDependencies = {}, peerDependenciesMeta } = packages[path] ?? {}
    if (link) reached.add(resolved)
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta?.[name]?.optional)
    for (const name of [...Object.keys(dependencies ?? {}), ...peers]) {
      const found = lockedPath(path, name)
      if (found === undefined) throw new Error(`${name}, a dependency of ${path}, is not locked`)
      reached.add(found)
    }
  }
  return installed.filter(([path]) => reached.has(path))
}
