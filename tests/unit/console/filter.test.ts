import { expect, test } from 'vitest'
import { filterInWords, filterOf, queryOf, readFilter } from '../../../apps/console/src/dead-letter-filter.js'
import { Refusal } from '../../../apps/console/src/errors.js'

const read = (query: string) => filterOf(readFilter(new URLSearchParams(query)))

test('each part of an address is a part of the filter, and times are UTC', () => {
  expect(
    read(
      'type=user.created&object=user_1&class=poison&fingerprint=1a2b&reason=data.id&since=2026-01-31T04:05&until=2026-02-01',
    ),
  ).toEqual({
    type: 'user.created',
    objectId: 'user_1',
    class: 'poison',
    fingerprint: '1a2b',
    reason: 'data.id',
    sinceMs: Date.UTC(2026, 0, 31, 4, 5),
    untilMs: Date.UTC(2026, 1, 1),
  })
  expect(read('id=msg_1&id=msg_2')).toEqual({ ids: ['msg_1', 'msg_2'] })
})

test('nothing asked for is everything, and empty fields ask for nothing', () => {
  expect(read('')).toEqual({ all: true })
  expect(read('type=&class=+&since=')).toEqual({ all: true })
})

test.each(['class=red', 'since=yesterday', 'until=1x'])('%s is refused', (query) => {
  expect(() => read(query)).toThrow(Refusal)
})

test('a filter survives the way through an address', () => {
  const text = readFilter(
    new URLSearchParams('type=a&reason=x%26y%3D%22&id=msg_1&id=msg_2&until=2026-01-31T04:05:06.789Z'),
  )
  expect(readFilter(queryOf(text))).toEqual(text)
})

test('a filter in words names what it chooses', () => {
  expect(filterInWords({})).toBe('all dead letters')
  expect(filterInWords({ ids: ['msg_1'] })).toBe('event msg_1')
  expect(filterInWords({ ids: ['a', 'b'], type: 'user.created' })).toBe('2 selected events, type user.created')
})
