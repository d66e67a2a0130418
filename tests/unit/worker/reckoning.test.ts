import { expect, test } from 'vitest'
import type { ChangeBody, Received } from '../../support/http/receiver.js'
import { reckonReactions } from '../../support/reactions.js'

type Applied = { event_id: string; type: string; object_id: string }

/** Ada came with e1, changed with e2; her membership came with e3; she left with e4, which took it along. */
const APPLIED: Applied[] = [
  { event_id: 'e1', type: 'user.created', object_id: 'ada' },
  { event_id: 'e2', type: 'user.updated', object_id: 'ada' },
  { event_id: 'e3', type: 'organizationMembership.created', object_id: 'hers' },
  { event_id: 'e4', type: 'user.deleted', object_id: 'ada' },
]
const queries = async <Row>(sql: string): Promise<Row[]> =>
  (sql.includes('webhook_events') ? APPLIED : [{ id: 'ada' }, { id: 'hers' }]) as Row[]

function told(type: string, id: string, eventId: string, key = `${id} ${eventId}`): Received {
  const data = { ...{ kind: '', id, userId: null, organizationId: null, changedFields: [], object: null } }
  const version = { updatedAtMs: 0, timestampMs: 0, eventId }
  const body: ChangeBody = { type, timestamp: '', data: { ...data, version } }
  return { key, headers: {}, text: '', body }
}

const RIGHT = [
  told('user.created', 'ada', 'e1'),
  told('user.updated', 'ada', 'e2'),
  told('organizationMembership.created', 'hers', 'e3'),
  told('user.deleted', 'ada', 'e4'),
  told('organizationMembership.deleted', 'hers', 'e4'),
]

test('when all is told once, nothing is missing or invented', async () => {
  expect(await reckonReactions(queries, RIGHT)).toEqual({ missing: [], invented: [], twice: 0, changes: 4 })
})

test('each one that is left out is missed', async () => {
  for (const [index] of RIGHT.entries()) {
    const { missing, invented } = await reckonReactions(queries, RIGHT.toSpliced(index, 1))
    expect([missing.length > 0, invented]).toEqual([true, []])
  }
})

test.each([
  ['of an event that was not committed', told('user.updated', 'ada', 'e9')],
  ['of another object', told('user.updated', 'bob', 'e2')],
  ['once more under another key', told('user.updated', 'ada', 'e2', 'other')],
  ['as a second creation', told('user.created', 'ada', 'e2', 'other')],
  ['as a second delete', told('organizationMembership.deleted', 'hers', 'e1', 'other')],
])('what is told %s is invented', async (_, received) => {
  const { invented } = await reckonReactions(queries, [...RIGHT, received])
  expect(invented.length).toBeGreaterThan(0)
})

test('what is told twice under its key is counted, and is no fault', async () => {
  const [first] = RIGHT as [Received]
  expect(await reckonReactions(queries, [...RIGHT, first])).toMatchObject({ missing: [], invented: [], twice: 1 })
})
