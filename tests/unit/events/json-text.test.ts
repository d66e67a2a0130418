import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memberText, wellFormedText, withNulled } from '../../../packages/events/src/json-text.js'

const SPACES = fc.stringMatching(/^[ \n\r\t]{0,2}$/)

test('the text of a member is what JSON.parse makes of that member, for any object and any spacing', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.nat(3), (others, value, indent) => {
      const text = ` ${JSON.stringify({ ...others, wanted: value }, null, indent)} `
      expect(JSON.parse(memberText(text, 'wanted') ?? '"absent"')).toEqual(JSON.parse(text).wanted)
    }),
  )
})

// JSON as text, in every spelling: escapes, brackets within strings, letters of one, two and four bytes.
const PIECES = ['a', '{', '}', '[', ']', ',', ':', ' ', '\\"', '\\\\', '\\u0022', '\\n', 'ä', '😀', '\\ud83d', 'data']
const STRING = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((pieces) => `"${pieces.join('')}"`)
const KEY = fc.oneof(STRING, fc.constantFrom('"data"', '"d\\u0061ta"', '"\\u0064ata"', '"data\\u0000"', '"dat"'))
const joined = (separator: string) => (parts: readonly string[]) => parts.join(separator)
const { value: VALUE } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(STRING, fc.constantFrom('0', '-1.50e+3', '9007199254740993123', 'true', 'null')),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(SPACES, fc.array(tie('value')).map(joined(',')), SPACES)
    .map(([a, values, b]) => `[${a}${values}${b}]`),
  object: fc
    .array(fc.tuple(KEY, SPACES, fc.constant(':'), SPACES, tie('value'), SPACES).map(joined('')))
    .map((members) => `{${members.join(',')}}`),
}))
/** More strings beside each other than are skipped at once, with and without escapes. */
const MANY = fc.tuple(STRING, fc.integer({ min: 90, max: 220 })).map(([text, count]) => `[${Array(count).fill(text)}]`)

test('the text of a member is the last one that JSON.parse would take, letter by letter', () => {
  const member = fc.tuple(KEY, SPACES, SPACES, fc.oneof(VALUE, MANY), SPACES)
  fc.assert(
    fc.property(fc.array(member), SPACES, (members, space) => {
      const parts = members.map(([key, before, after, value, end]) => `${space}${key}${before}:${after}${value}${end}`)
      const text = `${space}{${parts.join(',') || space}}`
      expect(() => JSON.parse(text)).not.toThrow()
      const wanted = members.findLast(([key]) => JSON.parse(key) === 'data')
      expect(memberText(text, 'data')).toBe(wanted?.[3] ?? null)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['{"data":1,"data":{"a":2}}', '{"a":2}'],
  ['{"d\\u0061ta":"x"}', '"x"'],
  ['{"x":{"data":1}}', null],
  ['{"x":"\\"data\\":1","data":-1.5e+3}', '-1.5e+3'],
  ['{"data":9007199254740993123}', '9007199254740993123'],
  ['{}', null],
  ['{ "data" : true }', 'true'],
])('of %s the member data is %s', (text, expected) => {
  expect(memberText(text, 'data')).toBe(expected)
})

test('a value nested as deep as a body is long is found without overflowing the stack', () => {
  const deep = '['.repeat(400_000) + ']'.repeat(400_000)
  expect(memberText(`{"a":${deep},"data":${deep}}`, 'data')).toHaveLength(deep.length)
})

test('a nulled member is null at any depth and nothing else changes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), SPACES, (secret, other, space) => {
      const b = JSON.stringify(other)
      const text = `{"a":[{"codes":${space}${JSON.stringify(secret)}${space},"b":${b}}],"codes":"codes"}`
      // Parsed, because JSON has no -0.
      expect(JSON.parse(withNulled(text, 'codes'))).toEqual({ a: [{ codes: null, b: JSON.parse(b) }], codes: null })
    }),
  )
})

/** The key with some of its characters as escapes, with digits of either case. */
const spelled = (key: string) =>
  fc.array(fc.nat(2), { minLength: key.length, maxLength: key.length }).map((ways) => {
    const digits = (index: number) => key.charCodeAt(index).toString(16).padStart(4, '0')
    const way = (index: number) =>
      [key[index], `\\u${digits(index)}`, `\\u${digits(index).toUpperCase()}`][ways[index] ?? 0]
    return `"${Array.from(key, (_, index) => way(index)).join('')}"`
  })

test('a nulled member is found in any spelling, as JSON.parse finds it', () => {
  const key = fc.oneof(spelled('backup_codes'), KEY)
  const member = fc.tuple(key, SPACES, SPACES, VALUE, SPACES)
  fc.assert(
    fc.property(fc.array(member), (members) => {
      const text = `{"a":[{${members.map(([name, a, b, value, c]) => `${name}${a}:${b}${value}${c}`).join(',')}}]}`
      const nulled = (name: string, value: unknown) => (name === 'backup_codes' ? null : value)
      expect(JSON.parse(withNulled(text, 'backup_codes'))).toEqual(JSON.parse(text, nulled))
    }),
    { numRuns: 500 },
  )
})

test('a string that looks like the member is left alone', () => {
  const text = '{"a":"codes","b":"\\"codes\\":1","codesX":1,"xcodes":2}'
  expect(withNulled(text, 'codes')).toBe(text)
})

test.each([
  ['"\\ud83d\\ude00"', '"\\ud83d\\ude00"'],
  ['"\\ud83d"', '"\\ufffd"'],
  ['"\\ude00\\ud83d"', '"\\ufffd\\ufffd"'],
  ['"\\ud83d\\ud83d\\ude00"', '"\\ufffd\\ud83d\\ude00"'],
  ['"\\\\ud83d"', '"\\\\ud83d"'],
  ['"\\\\\\ud83d"', '"\\\\\\ufffd"'],
  ['"\ud83d"', '"\ufffd"'],
])('%s is made well-formed as %s', (text, expected) => {
  expect(wellFormedText(text)).toBe(expected)
  expect(JSON.parse(wellFormedText(text)).isWellFormed()).toBe(true)
})
