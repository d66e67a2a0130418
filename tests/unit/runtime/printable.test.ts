import { openLog, printable } from '@clerk-mirror/runtime'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const COMMANDING = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u

test.each([
  ['a line break', 'a\nb\r', 'a\\u000ab\\u000d'],
  ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
  ['its form in one character', '\u009b2J', '\\u009b2J'],
  ['a backspace and DEL', '\b\u007f', '\\u0008\\u007f'],
  ['what turns the direction', '\u202egpj.exe\u202c\u2066x\u2069', '\\u202egpj.exe\\u202c\\u2066x\\u2069'],
  ['separators of lines', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
  ['what people write', 'Zoë 田中 👩🏽‍🚀 مرحبا', 'Zoë 田中 👩🏽‍🚀 مرحبا'],
])('%s is shown so', (_, text, shown) => {
  expect(printable(text)).toBe(shown)
})

test('nothing gets through, and JSON stays the same JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text)).not.toMatch(COMMANDING)
      const json = printable(JSON.stringify({ text }))
      expect(json).not.toMatch(COMMANDING)
      expect(JSON.parse(json)).toEqual({ text })
    }),
  )
})

test.each([true, false])('a line of the log cannot command the terminal (for people: %j)', (pretty) => {
  const lines: string[] = []
  const log = openLog({ app: 'test', level: 'info', pretty, write: (line) => void lines.push(line) })
  const evil = 'x\u001b[2J\n{"level":"error"}\u009b\u202e'
  log.info({ event: 'event.refused', id: evil, deep: { list: [evil] }, err: new Error(evil) }, evil)
  expect(lines).toHaveLength(1)
  const text = lines.join('')
  expect(text).toContain('u001b[2J')
  // Only the frames of the stack break a line of the log for people.
  const shown = text
    .trimEnd()
    .split('\n')
    .filter((line) => !/^\s+at /.test(line))
  expect(shown.join('')).not.toMatch(COMMANDING)
  if (pretty) expect(shown.filter((line) => line.startsWith('{"level"'))).toEqual([])
  else expect(JSON.parse(text)).toMatchObject({ id: evil, msg: evil, deep: { list: [evil] } })
})
