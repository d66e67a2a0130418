import { posix } from 'node:path'
import { exists, manifestOf, read } from './tree.js'

/** One file asking for another module: `to` as it is written, null where it is computed. */
export type Import = { file: string; to: string | null }

// The formatter puts every statement at the start of its line, so a line that begins otherwise is none.
const STATEMENT = /^(?:import|export)\s(?:[\w*\s{},$]+?\sfrom\s)?['"]([^'"]+)['"]/gm
const CALL =
  /\b(?:import|import\.meta\.resolve|require|require\.resolve|createRequire\([^()]*\))\(\s*(?:['"]([^'"]+)['"])?/g

export function importsOf(file: string): Import[] {
  const text = read(file)
  const found = [...text.matchAll(STATEMENT), ...text.matchAll(CALL)]
  return found.map(([, to]) => ({ file, to: to ?? null }))
}

export const isRelative = (to: string): boolean => to.startsWith('.')

/** The npm package of a specifier: `prom-client`, `@prisma/client`; null for Node's own modules and our files. */
export function packageOf(to: string): string | null {
  if (isRelative(to) || to.startsWith('node:')) return null
  return to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/')
}

/** The folder name of one of our packages when a specifier names it: `queue` of `@clerk-mirror/queue`. */
export const oursOf = (to: string): string | null => /^@clerk-mirror\/([^/]+)/.exec(to)?.[1] ?? null

/** The file that an import leads to, in its source form; null when it leads out of the tree. */
export function targetOf({ file, to }: Import): string | null {
  if (to === null) return null
  const ours = oursOf(to)
  if (ours !== null) return entryOf(to)
  return isRelative(to) ? sourceFile(posix.join(posix.dirname(file), to)) : null
}

/**
 * The source file of an entry point, such as `@clerk-mirror/queue/enqueue`; null when the package has none of that
 * name.
 */
export function entryOf(specifier: string): string | null {
  const folder = `packages/${oursOf(specifier)}`
  const subpath = specifier.split('/').slice(2)
  const entry = exists(`${folder}/package.json`) ? manifestOf(folder).exports?.[['.', ...subpath].join('/')] : undefined
  return entry === undefined ? null : posix.join(folder, entry.source)
}

/** The file that is compiled to this one, or the file itself; null when there is none. */
export function sourceFile(path: string): string | null {
  const source = path.replace('/dist/', '/src/')
  return [source.replace(/\.js$/, '.ts'), source].find(exists) ?? null
}
