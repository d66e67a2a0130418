import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutants.js'

const OURS = '@clerk-mirror'
const GROUPS = ['packages', 'apps'] as const

/**
 * A copy of the build with the fault in it; dependencies are links. Throws an Error when the text to be changed is not
 * there any more.
 */
export function buildWith({ name, file, find, replace }: Mutant, root: string, target: string): void {
  const text = readFileSync(join(root, file), 'utf8')
  if (!text.includes(find)) throw new Error(`mutant ${name}: ${file} no longer holds "${find}"`)
  rmSync(target, { recursive: true, force: true })
  for (const group of GROUPS) {
    for (const workspace of readdirSync(join(root, group))) copyWorkspace(join(group, workspace), root, target)
  }
  linkModules(root, target)
  writeFileSync(
    join(target, file),
    text.replaceAll(find, () => replace),
  )
}

function copyWorkspace(folder: string, root: string, target: string): void {
  for (const part of ['package.json', 'dist']) {
    const source = join(root, folder, part)
    if (existsSync(source)) cpSync(source, join(target, folder, part), { recursive: true })
  }
}

function linkModules(root: string, target: string): void {
  const modules = join(target, 'node_modules')
  mkdirSync(join(modules, OURS), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== OURS) symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  for (const group of GROUPS) {
    for (const workspace of readdirSync(join(target, group))) {
      symlinkSync(join(target, group, workspace), join(modules, OURS, workspace))
    }
  }
}
