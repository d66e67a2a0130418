import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changedMembers } from '../../../packages/events/src/changed-members.js'

test('the changed members of an object are those that JSON.parse tells apart, whatever the others are', () => {
  const object = fc.dictionary(fc.string(), fc.constantFrom(1, 'a', null, [1], { b: 2 }, '"', '\\'))
  fc.assert(
    fc.property(object, object, (before, after) => {
      const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      const text = (of: object, name: string) => JSON.stringify(Object.getOwnPropertyDescriptor(of, name)?.value)
      const expected = names.filter((name) => text(before, name) !== text(after, name)).sort()
      expect(changedMembers(JSON.stringify(before), ` ${JSON.stringify(after)}`)).toEqual(expected)
    }),
  )
})

test.each([
  ['{"a":1,"b":2}', '{"a":1}', ['b']],
  ['{"a":1}', '{"a":1,"b":2}', ['b']],
  ['{"a":1,"b":2}', '{"b":2,"a":1}', []],
  ['{"a":12,"b":2}', '{"a":1,"b":2}', ['a']],
  ['{"a":1 ,"b" : 2}', '{"a":1,"b":2 }', []],
  ['{"a":1,"a":2}', '{"a":3,"a":2}', []],
  ['{"a":1,"a":2}', '{"a":1,"a":3}', ['a']],
  ['{"a":1,"\\u0061":2}', '{"a":3,"\\u0061":2}', []],
  ['{}', '{"a":1}', ['a']],
])('from %s to %s it is %j that changed', (before, after, expected) => {
  expect(changedMembers(before, after)).toEqual(expected)
})

/** Bits that decide how a value is written; the same value may be written in any of these ways. */
const BITS = fc.infiniteStream(fc.nat(7))
const SPACES = ['', '', '', '', ' ', '\n', '\t ', '  ']
type Next = () => number
const nextOf = (bits: Iterator<number>) => () => bits.next().value as number

/** Writes a value with white space, escapes and an order of members that the bits choose. */
function written(value: unknown, next: Next): string {
  const space = () => SPACES[next()] ?? ''
  if (Array.isArray(value))
    return `[${space()}${value.map((each) => written(each, next) + space()).join(`,${space()}`)}]`
  if (typeof value === 'string') return writtenString(value, next)
  if (typeof value === 'number') return next() === 0 ? String(value).replace(/^(-?\d+)$/, '$1.00') : String(value)
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value).map(([name, each]) => ({ order: next(), name, each }))
  if (next() % 2 === 0) members.sort((one, other) => one.order - other.order)
  const texts = members.map(
    ({ name, each }) => `${writtenString(name, next)}${space()}:${space()}${written(each, next)}${space()}`,
  )
  return `{${space()}${texts.join(`,${space()}`)}}`
}

function writtenString(text: string, next: Next): string {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
  const escaped = (unit: number) => `\\u${unit.toString(16).padStart(4, '0')}`
  const isPlain = (unit: number) => unit > 0x20 && unit < 0x7f && unit !== 0x22 && unit !== 0x5c
  return `"${units.map((unit) => (isPlain(unit) && next() > 0 ? String.fromCharCode(unit) : escaped(unit))).join('')}"`
}

/** Parsed with its members in one order, so that equal values are printed alike. */
const inOrder = (_: string, value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value
const printed = (value: unknown) => JSON.stringify(JSON.parse(JSON.stringify(value), inOrder))

/** Few values, so that many are equal, and empty ones, which are the shortest to lose one's place over. */
const LEAVES = ['', 'a', ':', '","', '{"b":1}', 0, 1, 10, -1.5, true, false, null]
const { value: VALUE } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<unknown>(...LEAVES),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '', '"'), tie('value'), { maxKeys: 3 }),
  ),
}))
const OBJECT = fc.dictionary(fc.constantFrom('a', 'b', 'c', '', ':', '"'), VALUE, { maxKeys: 5 })

test('a field is named as changed if and only if its value is another, however both are written', () => {
  fc.assert(
    fc.property(
      OBJECT,
      OBJECT,
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      BITS,
      (one, two, kept, bits) => {
        const next = nextOf(bits[Symbol.iterator]())
        // Most fields stay as they were, as in life.
        const before = one
        const after = { ...one, ...Object.fromEntries(Object.entries(two).filter((_, index) => kept[index] === true)) }
        const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
        const of = (object: object, name: string) => Object.getOwnPropertyDescriptor(object, name)?.value
        const isChanged = (name: string) =>
          !Object.hasOwn(before, name) ||
          !Object.hasOwn(after, name) ||
          printed(of(before, name)) !== printed(of(after, name))
        expect(changedMembers(written(before, next), ` ${written(after, next)}`)).toEqual(
          names.filter(isChanged).sort(),
        )
      },
    ),
    { numRuns: 2_000 },
  )
})

test.each([
  // One more space behind a colon, where a walk by the length of the other text loses its place and misses `b`.
  ['{"a":  [1],"b":2}', '{"a": [1]}', ['b']],
  ['{"a":{"x":1,"y":2}}', '{"a":{ "y":2, "x":1 }}', []],
  ['{"a":{"x":1,"x":2}}', '{"a":{"x":2}}', []],
  ['{"a":[1,2]}', '{"a":[2,1]}', ['a']],
  ['{"a":[[],{}]}', '{"a":[{},[]]}', ['a']],
  ['{"a":["1\\"1"]}', '{"a":["1","1"]}', ['a']],
  ['{"a":"\\u00e9"}', '{"a":"é"}', []],
  ['{"a":"1"}', '{"a":1}', ['a']],
  ['{"a":1}', '{"a":1.0}', []],
  ['{"a":100}', '{"a":1e2}', []],
  ['{"a":0}', '{"a":-0.0}', []],
  // One number to JSON.parse.
  ['{"a":9007199254740992}', '{"a":9007199254740993}', ['a']],
  ['{"a":{"n":[9007199254740992]}}', '{"a":{"n":[9007199254740993]}}', ['a']],
])('of %s and %s, written in two ways, it is %j that changed', (before, after, expected) => {
  expect(changedMembers(before, after)).toEqual(expected)
  expect(changedMembers(after, before)).toEqual(expected)
})

test('values nested as deep as a body is long are compared without overflowing the stack, and in linear time', () => {
  const deep = (leaf: string, open: string, close: string) => open.repeat(100_000) + leaf + close.repeat(100_000)
  const list = (leaf: string) => `{"a":${deep(leaf, '[', ']')}}`
  const object = (leaf: string) => `{"a":${deep(leaf, '{"k":', '}')}}`
  for (const nested of [list, object]) {
    expect(changedMembers(nested('1'), nested(' 1'))).toEqual([])
    expect(changedMembers(nested('1'), nested('2'))).toEqual(['a'])
  }
})
