import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseAccounts } from '../../../apps/console/src/auth/accounts.js'
import { keptConsoleToken } from '../../../packages/devstack/src/stack-folder.js'

test('the token that npm start makes up is one that the console takes, stays, and is for its owner alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-token-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const made = keptConsoleToken(folder)
  expect(parseAccounts(made)).toMatchObject([{ role: 'operator' }])
  expect(keptConsoleToken(folder)).toBe(made)
  expect(statSync(join(folder, 'console-token')).mode & 0o777).toBe(0o600)
})

test('one that an older release made up, and that is too short by now, is made anew', () => {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-token-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'console-token'), 'local:operator:0123456789abcdefghijklmn\n')
  expect(parseAccounts(keptConsoleToken(folder))).toMatchObject([{ role: 'operator' }])
})
