import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment } from '@clerk-mirror/runtime'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-env-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const PEM = '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----'
const TEXT = `REDIS_URL=redis://127.0.0.1:6379\n# Räder\nNOTIFY_WEBHOOK_URL="https://example.com/ü"\nCLERK_JWT_KEY="${PEM}"\nHOST=\nPORT=3000\n`
const SETTINGS = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  NOTIFY_WEBHOOK_URL: 'https://example.com/ü',
  CLERK_JWT_KEY: PEM,
  PORT: '3000',
}

const utf16le = (text: string) => Buffer.from(text, 'utf16le')
const utf16be = (text: string) => utf16le(text).swap16()
const windows = TEXT.replaceAll('\n', '\r\n')

test.each([
  ['plain UTF-8', Buffer.from(TEXT)],
  ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`)],
  ['UTF-8 with a mark and line breaks of Windows', Buffer.from(`\ufeff${windows}`)],
  ['line breaks of old Macs', Buffer.from(TEXT.replaceAll('\n', '\r'))],
  ['UTF-16, as PowerShell writes it', utf16le(`\ufeff${windows}`)],
  ['UTF-16, big end first', utf16be(`\ufeff${windows}`)],
  ['UTF-16 without a mark', utf16le(windows)],
  ['UTF-16 without a mark, big end first', utf16be(TEXT)],
])('settings are read from a file in %s', (_, bytes) => {
  const file = join(folder, '.env')
  writeFileSync(file, bytes)
  expect(environment([file])).toMatchObject(SETTINGS)
  expect(environment([file])).not.toHaveProperty('HOST')
})

test('an empty file, one byte, and a file that is not there hold no setting', () => {
  for (const [index, content] of ['', '#', '\n', '\ufeff'].entries())
    writeFileSync(join(folder, String(index)), content)
  const files = ['0', '1', '2', '3', 'absent'].map((name) => join(folder, name))
  expect(environment(files)).toEqual(environment([]))
})
