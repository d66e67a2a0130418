import { expect, test } from 'vitest'
import { type Item, Stream } from '../../chaos/load/stream.js'

const taken = (stream: Stream, count: number): Item[] => Array.from({ length: count }, () => stream.next())
const sent = (items: readonly Item[]) =>
  items.flatMap((item) => ('event' in item && item.kind !== 'forged' ? [item.event] : []))

test('a seed tells the same traffic every time, and another seed another', () => {
  const open = (seed: number) => new Stream({ seed, cursedShare: 0.1 })
  expect(taken(open(1), 2_000)).toEqual(taken(open(1), 2_000))
  expect(taken(open(1), 10)).not.toEqual(taken(open(2), 10))
})

test('what counts as delivered is what was taken to be sent, wherever the stream is left', () => {
  for (const count of [1, 100, 1_337]) {
    const stream = new Stream({ seed: 3, cursedShare: 0.2 })
    const items = [...taken(stream, count), ...stream.rest()]
    const ids = (events: readonly { eventId: string }[]) => new Set(events.map(({ eventId }) => eventId))
    expect(ids(stream.delivered.flat())).toEqual(ids(sent(items)))
  }
})

test('a stream has duplicates, forgeries, poison and every cure for a dead letter', () => {
  const items = taken(new Stream({ seed: 4, cursedShare: 0.05 }), 5_000)
  expect(new Set(items.map(({ kind }) => kind))).toEqual(new Set(['event', 'cursed', 'poison', 'forged']))
  expect(new Set(items.flatMap((item) => (item.kind === 'cursed' ? [item.cure] : []))).size).toBe(3)
  const events = sent(items).map(({ eventId }) => eventId)
  expect(new Set(events).size).toBeLessThan(events.length)
})
