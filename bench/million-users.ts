import type { Releasers } from '@clerk-mirror/runtime'
import { cpuOf, perSecond } from './contest.js'
import type { Score } from './contestant.js'
import { assertNewest } from './exact.js'
import type { Run } from './main.js'
import { perS, type Report, ratioRow } from './report.js'
import type { Stage } from './stage.js'
import { median, ratio, thousands } from './statistics.js'
import { drainBacklog } from './subjects.js'
import { freshSeed, updateOf } from './traffic.js'

const ROUNDS = 5
/** Rows that one statement makes. */
const AT_ONCE = 10_000

/** How fast events are applied with many users in the tables, beside empty ones: the same updates of random users. */
export async function millionUsersSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const users = quick ? 20_000 : 1_000_000
  const events = quick ? 3_000 : 20_000
  const worker = await stage.start('worker', owned)
  const round = (prefix: string, from: number) => {
    const seed = freshSeed()
    // The step has no factor in common with the number of users: no user comes twice, and neighbours are far apart.
    const id = (index: number) => `user_${prefix}${(from + index * 7_919) % users}`
    const deliveries = Array.from({ length: events }, (_, index) =>
      updateOf(id(index), `msg_${seed}x${index}`, seed % 1e9),
    )
    const newest = new Map(deliveries.map(({ objectId, eventId }) => [objectId, eventId]))
    return drainBacklog(stage, [worker], deliveries, { check: () => assertNewest(stage, events, newest) })
  }
  const none: Score[] = []
  const many: Score[] = []
  await stage.clear()
  await round('warm', 0)
  say(`filling the tables with ${thousands(users)} users`)
  for (const table of FILLED) await stage.database.query(`CREATE TABLE mirror.${table}_aside LIKE mirror.${table}`)
  await fillTables(stage, users)
  for (let index = 1; index <= ROUNDS; index += 1) {
    say(`round ${index} of ${ROUNDS}`)
    await swapTables(stage)
    await stage.clear()
    none.push(await round('many', index * events))
    await swapTables(stage)
    await stage.database.query('TRUNCATE mirror.webhook_events')
    many.push(await round('many', index * events))
  }
  const names: [string, string] = [perS(median(perSecond(many))), `empty tables: ${perS(median(perSecond(none)))}`]
  return {
    title: 'A million users',
    about: `a backlog of ${thousands(events)} updates of users all over the table, with ${thousands(users)} users and their objects in the tables and with none. MariaDB’s buffer pool is 128 MiB: the tables do not fit.`,
    rows: [
      ratioRow(`applied with ${thousands(users)} users ÷ with none`, names, ratio(perSecond(many), perSecond(none)), {
        least: 0.85,
      }),
    ],
    cpu: { 'with none': cpuOf(none), [`with ${thousands(users)}`]: cpuOf(many) },
  }
}

const FILLED = ['clerk_objects', 'users'] as const

/** The full tables for the empty ones, and back. */
async function swapTables({ database }: Stage): Promise<void> {
  for (const table of FILLED.map((name) => `mirror.${name}`)) {
    await database.query(
      `RENAME TABLE ${table} TO ${table}_swap, ${table}_aside TO ${table}, ${table}_swap TO ${table}_aside`,
    )
  }
}

/** As if each of these users had once been created; made within the server, from the text of one. */
async function fillTables({ database }: Stage, users: number): Promise<void> {
  await database.query('CREATE TABLE mirror.numbers (n INT NOT NULL PRIMARY KEY)')
  const numbers = Array.from({ length: AT_ONCE }, (_, n) => `(${n})`).join(',')
  await database.query(`INSERT INTO mirror.numbers VALUES ${numbers}`)
  const { data } = JSON.parse(updateOf('user_many', 'msg_many', 0).body)
  const text = JSON.stringify({ ...data, updated_at: 1 })
  for (let from = 0; from < users; from += AT_ONCE) {
    const some = `FROM mirror.numbers WHERE n + ${from} < ${users}`
    await database.query(
      `INSERT INTO mirror.clerk_objects (id, kind, updated_at_ms, timestamp_ms, event_id, synced_at, data)
        SELECT CONCAT('user_many', n + ${from}), 'user', 1, 1, CONCAT('msg_many', n + ${from}), NOW(3), ? ${some}`,
      [text],
    )
    await database.query(
      `INSERT INTO mirror.users (clerk_id, username, first_name, email, img_url, public_metadata, created_at, synced_at)
        SELECT CONCAT('user_many', n + ${from}), CONCAT('name', n + ${from}), 'Some', CONCAT('mail', n + ${from}, '@example.org'),
          'https://img.example.org/1.png', '{}', NOW(3), NOW(3) ${some}`,
    )
  }
}
