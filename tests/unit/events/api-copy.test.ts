import { elementTexts, membersThatDiffer } from '@clerk-mirror/events'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('the elements of a list are its own text, spelling and white space included', () => {
  const text = '[ {"a": 1e400, "b":"\\u00e9]"} , [2,[3]],"x,]", 12345678901234567890 ,null]'
  expect(elementTexts(text)).toEqual([
    '{"a": 1e400, "b":"\\u00e9]"}',
    '[2,[3]]',
    '"x,]"',
    '12345678901234567890',
    'null',
  ])
  expect(elementTexts(' [ ] ')).toEqual([])
})

test('the elements of any list are those that JSON.parse finds', () => {
  const spaces = fc.constantFrom(0, 1, 2)
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), spaces, (list, space) => {
      const texts = elementTexts(JSON.stringify(list, null, space))
      expect(texts.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(list)))
    }),
  )
})

const STORED =
  '{"id":"user_1","username":"ada","updated_at":1,"last_sign_in_at":1,"scim":{"active":true},"big":90071992547409931}'

test.each([
  ['the same', STORED, []],
  ['spelled in another order', '{"big":90071992547409931,"updated_at":1,"username":"\\u0061da","id":"user_1"}', []],
  ['moved by a sign-in', '{"id":"user_1","username":"ada","updated_at":9,"last_sign_in_at":9,"last_active_at":9}', []],
  ['another name', '{"id":"user_1","username":"grace","updated_at":9}', ['username']],
  ['one more member', '{"id":"user_1","username":"ada","locale":"en"}', ['locale']],
  ['a large number', '{"id":"user_1","big":90071992547409930}', ['big']],
])('a copy from the API that is %s differs in as much', (_, copy, names) => {
  expect(membersThatDiffer(STORED, copy)).toEqual(names)
})
