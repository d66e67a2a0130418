import type { ObjectNow } from '@clerk-mirror/mirror'
import { expect, test } from 'vitest'
import { READ_OBJECTS_MAX } from '../../../apps/worker/src/limits.js'
import { batchedObjectReader } from '../../../apps/worker/src/reaction-runtime/batched-object-reader.js'
import { latch } from '../../support/until.js'

const object = (id: string): ObjectNow => ({
  ...{ id, kind: 'user', version: { updatedAtMs: 1, timestampMs: 1, eventId: 'msg_1' } },
  ...{ userId: id, organizationId: null, data: '{}', publicUser: null },
})

/** Holds all users except those with names that begin with `gone`. */
function mirrorThat(before: () => Promise<void> = async () => {}) {
  const statements: string[][] = []
  const read = batchedObjectReader(async (ids) => {
    statements.push([...ids])
    await before()
    return new Map(ids.filter((id) => !id.startsWith('gone')).map((id) => [id, object(id)]))
  })
  return { read, statements }
}

test('runs that begin together read their objects in one statement, each its own', async () => {
  const { read, statements } = mirrorThat()
  const found = await Promise.all(['ada', 'gone', 'bob', 'ada'].map(read))
  expect(found.map((one) => one?.id ?? null)).toEqual(['ada', null, 'bob', 'ada'])
  expect(statements).toEqual([['ada', 'gone', 'bob']])
})

test('what is asked for while a statement is on its way is read by the next one, after it was asked for', async () => {
  const gate = latch()
  const begun = latch()
  const { read, statements } = mirrorThat(async () => {
    begun.open()
    await gate.opened
  })
  const first = read('ada')
  await begun.opened
  const later = [read('ada'), read('bob')]
  gate.open()
  await Promise.all([first, ...later])
  expect(statements).toEqual([['ada'], ['ada', 'bob']])
})

test('a crowd is read in statements of bounded size', async () => {
  const { read, statements } = mirrorThat()
  const ids = Array.from({ length: READ_OBJECTS_MAX * 2 + 1 }, (_, index) => `user_${index}`)
  await Promise.all(ids.map(read))
  expect(statements.map(({ length }) => length)).toEqual([READ_OBJECTS_MAX, READ_OBJECTS_MAX, 1])
})

test('a statement that fails, fails for all that waited for it, and the next ones are read', async () => {
  let isAway = true
  const { read } = mirrorThat(async () => {
    if (isAway) throw new Error('away')
  })
  const failed = await Promise.allSettled([read('ada'), read('bob')])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  isAway = false
  expect(await read('ada')).toMatchObject({ id: 'ada' })
})
