import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The version of the running package, and the commit that it was built from. */
export type Build = { version: string; commit: string }

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** Characters of a commit that distinguish it from others. */
const SHORT_COMMIT = 8

const COMMIT = /^[0-9a-f]{40}$/

/** The image has a file `COMMIT`; a checkout has Git's own. */
export function readBuild(root = ROOT): Build {
  const { version = 'unknown' } = JSON.parse(textOf(join(root, 'package.json')) || '{}') as { version?: string }
  const commit = [textOf(join(root, 'COMMIT')), commitOfCheckout(root)].find((each) => COMMIT.test(each))
  return { version, commit: commit ?? 'unknown' }
}

/** The form in which processes publish their release: `0.1.0 1a2b3c4d`. */
export function releaseName(): string {
  const { version, commit } = readBuild()
  return `${version} ${commit.slice(0, SHORT_COMMIT)}`
}

function commitOfCheckout(root: string): string {
  // In a worktree `.git` is a file that names the folder.
  const link = /^gitdir: (.+)$/m.exec(textOf(join(root, '.git')))?.[1]
  const own = link === undefined ? join(root, '.git') : resolve(root, link)
  const shared = resolve(own, textOf(join(own, 'commondir')) || '.')
  const head = textOf(join(own, 'HEAD'))
  const [, branch] = /^ref: (.+)$/.exec(head) ?? []
  if (branch === undefined) return head
  const packed = textOf(join(shared, 'packed-refs')).split('\n')
  return textOf(join(shared, branch)) || (packed.find((line) => line.endsWith(` ${branch}`))?.split(' ', 1)[0] ?? '')
}

/** Trimmed; '' when the file is absent. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
