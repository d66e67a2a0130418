import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readBuild } from '../../../packages/runtime/src/build.js'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'clerk-mirror-build-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'package.json'), '{"version":"1.2.3"}')
  return path
}

function git(cwd: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'init.defaultBranch=main']
  return execFileSync('git', [...identity, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

test('an image has its commit in a file', () => {
  const root = folder()
  expect(readBuild(root)).toEqual({ version: '1.2.3', commit: 'unknown' })
  writeFileSync(join(root, 'COMMIT'), 'unknown\n')
  expect(readBuild(root).commit).toBe('unknown')
  writeFileSync(join(root, 'COMMIT'), `${'ab'.repeat(20)}\n`)
  expect(readBuild(root).commit).toBe('ab'.repeat(20))
})

test('a checkout has it in Git, on a branch, packed or not, detached, and in a worktree', () => {
  const root = folder()
  git(root, 'init')
  expect(readBuild(root).commit).toBe('unknown')
  git(root, 'add', '.')
  git(root, 'commit', '-m', 'one')
  const commit = git(root, 'rev-parse', 'HEAD')
  expect(readBuild(root).commit).toBe(commit)
  git(root, 'pack-refs', '--all')
  expect(readBuild(root).commit).toBe(commit)
  git(root, 'worktree', 'add', '-b', 'other', 'beside')
  expect(readBuild(join(root, 'beside'))).toEqual({ version: '1.2.3', commit })
  git(root, 'checkout', '--detach')
  expect(readBuild(root).commit).toBe(commit)
})
