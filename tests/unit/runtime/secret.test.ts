import { inspect } from 'node:util'
import { openLog, Secret } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'

const hidden = new Secret('hunter2')

test.each<[string, () => string]>([
  ['a template', () => `${hidden}`],
  ['a concatenation', () => 'url: '.concat(String(hidden))],
  ['JSON', () => JSON.stringify({ config: { hidden } })],
  ['inspect', () => inspect({ config: { hidden } }, { depth: 9, showHidden: true })],
  ['a spread', () => JSON.stringify({ ...hidden })],
  ['an error', () => inspect(new Error('no', { cause: hidden }))],
  [
    'a log line',
    () => {
      const lines: string[] = []
      const write = (line: string) => void lines.push(line)
      openLog({ app: 'test', level: 'info', pretty: false, write }).info({ event: 'e', hidden, config: { hidden } })
      return lines.join('')
    },
  ],
])('a secret does not show in %s', (_, show) => {
  expect(show()).not.toContain('hunter2')
})

test('a secret says that it is one', () => {
  expect(`${hidden}`).toBe('[secret]')
  expect(JSON.stringify(hidden)).toBe('"[secret]"')
  expect(inspect(hidden)).toBe('[secret]')
})

test('a secret is whatever was put in, for whoever asks for it', () => {
  const url = new URL('mysql://ada:hunter2@db/clerk_mirror')
  expect(new Secret(url).reveal()).toBe(url)
})
