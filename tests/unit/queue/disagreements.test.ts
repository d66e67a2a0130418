import type { WorkerSettings } from '@clerk-mirror/queue/consume'
import { type AgreedSetting, disagreementsOf, type LivingProcesses } from '@clerk-mirror/queue/operate'
import { expect, test } from 'vitest'

const SETTINGS: WorkerSettings = { version: '1', kinds: '*', keyIds: ['a'], reactions: ['mail'], installation: 'x' }
const worker = (pid: number, changes: Partial<WorkerSettings> = {}, clockShiftMs = 0) => ({
  ...{ host: 'h', pid, startedAtMs: 0, breaker: 'closed' as const, held: 0, clockShiftMs },
  settings: { ...SETTINGS, ...changes },
})
const ingest = (pid: number, changes: object = {}, clockShiftMs = 0) => ({
  ...{ host: 'h', pid, startedAtMs: 0, partitions: 1, clockShiftMs },
  settings: { version: '1', instanceId: 'ins_1', keyIds: ['a'], ...changes },
})
const agreed: LivingProcesses = { workers: [worker(1), worker(2)], ingests: [ingest(3)], requested: ['mail'] }
const found = (changes: Partial<LivingProcesses>) => disagreementsOf({ ...agreed, ...changes })

test('processes that agree differ in nothing, nor do those that are not there', () => {
  expect(disagreementsOf(agreed)).toEqual([])
  expect(disagreementsOf({ workers: [], ingests: [], requested: ['mail'] })).toEqual([])
})

test.each<[AgreedSetting, Partial<LivingProcesses>, string[]]>([
  ['version', { ingests: [ingest(3, { version: '2' })] }, ['1', '2']],
  ['kinds', { workers: [worker(1), worker(2, { kinds: '*,-session' })] }, ['*', '*,-session']],
  ['key_ids', { workers: [worker(1), worker(2, { keyIds: ['a', 'b'] })] }, ['a', 'a,b']],
  ['installation', { workers: [worker(1), worker(2, { installation: 'y' })] }, ['x', 'y']],
  ['instance_id', { ingests: [ingest(3), ingest(4, { instanceId: null })] }, ['ins_1', 'none']],
  ['clock', { ingests: [ingest(3, {}, -3200)] }, ['−3.2 s']],
  ['reactions', { workers: [worker(1), worker(2, { reactions: [] })] }, ['mail', 'none']],
  ['unserved_reactions', { requested: ['crm', 'mail'] }, ['crm']],
])('a difference of %s is found', (setting, changes, values) => {
  expect(found(changes).map((each) => [each.setting, each.values.map(({ value }) => value)])).toEqual([
    [setting, values],
  ])
})

test('a key that ingest encrypts with and a worker lacks is named with the worker', () => {
  const changes = {
    workers: [worker(1, { keyIds: ['a', 'b'] }), worker(2)],
    ingests: [ingest(3, { keyIds: ['b', 'a'] })],
  }
  expect(found(changes)).toContainEqual({
    setting: 'encryption_key',
    values: [{ value: 'b', processes: ['worker h 2'] }],
  })
})

test('a worker of an earlier release tells nothing, and is found by that alone', () => {
  const { settings: _, clockShiftMs: __, ...former } = worker(2)
  expect(found({ workers: [worker(1), former] })).toEqual([
    {
      setting: 'version',
      values: [
        { value: '1', processes: ['worker h 1', 'ingest h 3'] },
        { value: 'an earlier release', processes: ['worker h 2'] },
      ],
    },
  ])
})

test('a worker that has not compared its installation yet, and a clock that is nearly right, are no difference', () => {
  expect(found({ workers: [worker(1, { installation: null }), worker(2, {}, 1900)] })).toEqual([])
})
