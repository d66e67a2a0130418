import {
  changesBetween,
  type ExpectedMirror,
  type MirrorTables,
  type OwnData,
  type Violation,
  wrongLedger,
  wrongObjects,
  wrongOwnData,
  wrongRows,
} from '../../support/invariants.js'
import type { Check } from '../check.js'
import type { DeadLetters } from '../load/dead-letters.js'
import { key, type Site } from '../stage/site.js'
import type { Journal } from './journal.js'
import type { Listener } from './received-changes.js'

export type QuietOptions = {
  site: Site
  journal: Journal
  expected: ExpectedMirror
  deadLetters: DeadLetters
  listener: Listener
  forged: readonly string[]
  own: ReadonlyMap<string, OwnData>
  /** Delivers events of this round once more, and waits until they were decided. */
  deliverAgain: () => Promise<void>
}

/** The row by which the database is tried. */
const CANARY_ID = 'clerk-mirror-canary'

export async function checkQuiet(options: QuietOptions): Promise<Check[]> {
  const { site, journal, expected, deadLetters, listener, own, deliverAgain } = options
  // Discards late duplicates once more, on record, before the tables are read.
  const dead = await deadLetters.leftOver()
  const tables = await site.oracle.tables()
  const decided = (tables.get('webhook_events') ?? []).filter(({ outcome }) => outcome !== 'discarded')
  const ledger = new Set(decided.map((row) => row['event_id'] ?? ''))
  const stored = await liveJobs(site)
  const lost = journal
    .acceptedIds()
    .filter((id) => !ledger.has(id) && !stored.has(id) && !deadLetters.discarded.has(id))
  const gone = [...expected.objects].filter(([, head]) => head.deleted).map(([id]) => id)
  await deliverAgain()
  const after = await site.oracle.tables()
  return [
    { name: 'I1 what was accepted is in the ledger', as: 'lost', found: lost },
    {
      name: 'I1 the ledger has what was delivered and no more',
      as: 'wrong',
      found: lines(wrongLedger(expected.outcomes, tables)),
    },
    {
      name: 'I2 object rows are what the newest versions say',
      as: 'wrong',
      found: lines(wrongObjects(expected.objects, tables)),
    },
    { name: 'I2 typed rows follow their object rows', as: 'wrong', found: lines(wrongRows(expected.rows, tables)) },
    { name: 'I3 of the deleted nothing is left', as: 'wrong', found: tracesIn(tables, new Set(gone)) },
    { name: "I4 the application's own data is left alone", as: 'wrong', found: lines(wrongOwnData(own, tables)) },
    { name: 'I4 what comes again changes nothing', as: 'wrong', found: lines(changed(tables, after)) },
    { name: 'I6 what was forged is nowhere', found: await anywhere(options, ledger) },
    { name: 'I7 no dead letter is left', as: 'deadLetters', found: dead },
    ...(await listener.check()),
  ]
}

const changed = (before: MirrorTables, after: MirrorTables): Violation[] =>
  changesBetween(withoutCanary(before), withoutCanary(after), ['operator_actions'])

const withoutCanary = (tables: MirrorTables): MirrorTables =>
  new Map([...tables].map(([name, rows]) => [name, rows.filter((row) => row['id'] !== CANARY_ID)]))

const MARKER = /mark-(\w+?)-end/g

/** I3 for thousands of deleted objects at once: the oracle's own search is for a few. */
function tracesIn(tables: MirrorTables, gone: ReadonlySet<string>): string[] {
  const found: string[] = []
  for (const [table, rows] of tables) {
    for (const row of rows) {
      for (const [column, value] of Object.entries(row)) {
        for (const [, id = ''] of value?.matchAll(MARKER) ?? []) {
          if (gone.has(id)) found.push(`${table}.${column} holds a value of ${id}`)
        }
      }
    }
  }
  return found
}

/** Events that Redis still holds, in any state. A job in no list does not count: no worker will ever take it. */
async function liveJobs({ redis }: Site): Promise<Set<string>> {
  const lists = await Promise.all([redis.lrange(key('wait'), 0, -1), redis.lrange(key('active'), 0, -1)])
  const sets = await Promise.all([redis.zrange(key('delayed'), '0', '-1'), redis.zrange(key('failed'), '0', '-1')])
  return new Set([...lists, ...sets].flat())
}

async function anywhere({ site, forged }: QuietOptions, ledger: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = []
  for (const id of forged) if (ledger.has(id) || (await site.redis.exists(key(id))) > 0) found.push(id)
  return found
}

const lines = (violations: readonly Violation[]): string[] =>
  violations.map(({ object, what, expected, found }) => `${object}: ${what}: expected ${expected}, found ${found}`)
