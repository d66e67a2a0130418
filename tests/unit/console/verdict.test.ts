import type { Status } from '@clerk-mirror/operations'
import { expect, test } from 'vitest'
import { SLOW_MS } from '../../../apps/console/src/limits.js'
import { verdictOf } from '../../../apps/console/src/pages/health-findings.js'

const worker = { host: 'one', pid: 1, startedAtMs: 0, breaker: 'closed' as const, held: 0 }
const NONE = { outage: 0, contention: 0, blocked: 0, poison: 0, killer: 0, unknown: 0 }
const quiet: Status = {
  queue: { waiting: 0, active: 0, retrying: 0, dead: 0 },
  oldestAgeS: 0,
  breaker: 'closed',
  workers: [worker],
  ingest: [],
  disagreements: [],
  deadLettersByClass: NONE,
  blockedByCode: {},
  outcomesLastHour: null,
  futureVersions: null,
  reactions: [],
}
const queue = (changes: Partial<Status['queue']>) => ({ queue: { ...quiet.queue, ...changes } })
const titles = (changes: Partial<Status>) => verdictOf({ ...quiet, ...changes }).map(({ title }) => title)

test('when nothing is wrong, that is said', () => {
  expect(verdictOf(quiet)).toMatchObject([{ tone: 'good', title: 'All is well' }])
  expect(titles(queue({ waiting: 5, retrying: 2 }))).toEqual(['All is well'])
})

test.each<[string, Partial<Status>, string]>([
  ['no worker', { workers: [] }, 'No worker is alive'],
  ['no worker and a backlog', { workers: [], ...queue({ waiting: 7 }) }, 'No worker is alive; 7 events wait'],
  ['an open breaker', { workers: [worker, { ...worker, breaker: 'open' }] }, '1 of 2 workers cannot write to MySQL'],
  ['a breaker that tries', { workers: [{ ...worker, breaker: 'half-open' }] }, '1 of 1 worker cannot write to MySQL'],
  ['a dead letter', queue({ dead: 1 }), '1 dead letter'],
  ['a version far ahead', { futureVersions: 2 }, '2 objects with a version far in the future'],
  [
    'events that are blocked',
    { blockedByCode: { mysql_1062: 2, mysql_1451: 1 } },
    '3 events blocked: mysql_1062 2, mysql_1451 1',
  ],
  [
    'clocks that are wrong',
    { disagreements: [{ setting: 'clock', values: [{ value: '+3.2 s', processes: ['ingest a 1'] }] }] },
    'Clocks are wrong: +3.2 s (ingest a 1)',
  ],
  [
    'a reaction that nobody runs',
    { disagreements: [{ setting: 'unserved_reactions', values: [{ value: 'mail', processes: [] }] }] },
    'Reactions are requested and no worker runs them: mail',
  ],
  [
    'reactions that not every worker runs: nothing',
    { disagreements: [{ setting: 'reactions', values: [{ value: 'mail', processes: ['worker a 1'] }] }] },
    'All is well',
  ],
  [
    'a backlog',
    { ...queue({ waiting: 1200 }), oldestAgeS: SLOW_MS / 1000 },
    '1,200 events behind; the oldest has waited 30 s',
  ],
])('of %s the page speaks first', (_, changes, title) => {
  expect(titles(changes)).toEqual([title])
})

test('several troubles are all named, the worst first', () => {
  const all = { workers: [{ ...worker, breaker: 'open' as const }], oldestAgeS: 600, ...queue({ waiting: 3, dead: 2 }) }
  expect(verdictOf({ ...quiet, ...all }).map(({ tone }) => tone)).toEqual(['bad', 'bad', 'warn'])
})
