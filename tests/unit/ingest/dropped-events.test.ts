import { openLog } from '@clerk-mirror/runtime'
import { expect, test } from 'vitest'
import { DropWarnings } from '../../../apps/ingest/src/dropped-events.js'
import { DROP_WARNINGS_MAX } from '../../../apps/ingest/src/limits.js'

function warnings() {
  const lines: Record<string, unknown>[] = []
  const log = openLog({ app: 'test', level: 'info', pretty: false, write: (line) => void lines.push(JSON.parse(line)) })
  return { lines, drops: new DropWarnings(log, 'ins_ours') }
}
const event = { eventId: 'msg_1', type: 'user.created' }
const other = (instanceId: string | null) => ({ ...event, reason: 'other_instance' as const, instanceId })

test('the first dropped event of each reason and value is a warning, and the next ones are none', () => {
  const { lines, drops } = warnings()
  for (let count = 0; count < 3; count += 1) {
    drops.add(other('ins_theirs'))
    drops.add(other('ins_another'))
    drops.add({ ...event, type: 'sms.created', reason: 'never_stored', instanceId: 'ins_ours' })
  }
  expect(lines).toMatchObject([
    { event: 'ingest.dropping', reason: 'other_instance', eventId: 'msg_1', instanceId: 'ins_theirs' },
    { event: 'ingest.dropping', reason: 'other_instance', ownInstanceId: 'ins_ours', instanceId: 'ins_another' },
    { event: 'ingest.dropping', reason: 'never_stored', kind: 'sms' },
  ])
})

test('a value without the form of an id is not repeated, and many values fill no log', () => {
  const { lines, drops } = warnings()
  drops.add(other('ada@example.org\nforged line'))
  expect(lines).toMatchObject([{ instanceId: 'no instance id' }])
  for (let count = 0; count < 1000; count += 1) drops.add(other(`ins_${count}`))
  expect(lines).toHaveLength(DROP_WARNINGS_MAX)
  expect(JSON.stringify(lines)).not.toContain('ada@')
})
