import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimFolder, ownerOf } from '../../../packages/devstack/src/services/owner.js'
import { identify, isRunning } from '../../../packages/devstack/src/services/process-identity.js'
import { StackError } from '../../../packages/devstack/src/services/stack-error.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-owner-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const codeOf = (claim: () => unknown): unknown => {
  try {
    claim()
  } catch (error) {
    return error instanceof StackError ? error.code : error
  }
  return 'claimed'
}

describe('a data folder', () => {
  test('has one owner at a time', () => {
    using _first = claimFolder(folder)
    expect(ownerOf(folder)?.pid).toBe(process.pid)
    expect(codeOf(() => claimFolder(folder))).toBe('stack_running')
  })

  test('is free again when its owner lets go, and claims do not pile up', () => {
    for (let i = 0; i < 3; i++) {
      claimFolder(folder)[Symbol.dispose]()
      expect(ownerOf(folder)).toBeUndefined()
      expect(readdirSync(folder)).toHaveLength(1)
    }
  })

  test('is taken over from an owner that was killed', () => {
    writeFileSync(join(folder, 'owner-7.json'), JSON.stringify({ pid: process.pid, born: 'before the last reboot' }))
    expect(ownerOf(folder)).toBeUndefined()
    using _claim = claimFolder(folder)
    expect(readdirSync(folder)).toEqual(['owner-8.json'])
  })

  test.each(['', '{}', '[', 'null', '{"pid":"1","born":1}'])('is not blocked by a claim that reads %j', (text) => {
    writeFileSync(join(folder, 'owner-10.json'), text)
    using _claim = claimFolder(folder)
    expect(ownerOf(folder)?.pid).toBe(process.pid)
  })

  test('belongs to the newest claim: the tenth is newer than the ninth', () => {
    writeFileSync(join(folder, 'owner-9.json'), JSON.stringify({ pid: 1, born: 'long ago' }))
    writeFileSync(join(folder, 'owner-10.json'), JSON.stringify(identify(process.pid)))
    expect(codeOf(() => claimFolder(folder))).toBe('stack_running')
  })
})

test('a process is running until it has ended, and one that has its number later is not it', async () => {
  const child = spawn(process.execPath, ['--eval', 'setTimeout(() => {}, 60_000)'])
  await once(child, 'spawn')
  const identity = identify(child.pid ?? 0)
  if (!identity) throw new Error('the child runs')
  expect(isRunning(identity)).toBe(true)
  expect(isRunning({ ...identity, born: 'another time' })).toBe(false)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isRunning(identity)).toBe(false)
})
