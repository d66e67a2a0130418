import type { Releasers } from '@clerk-mirror/runtime'
import { until } from '../tests/support/until.js'
import { cpuOf, perSecond } from './contest.js'
import type { Score } from './contestant.js'
import { assertNewest } from './exact.js'
import { perS, type Report, type Row, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, ratio, thousands } from './statistics.js'
import { drainBacklog } from './subjects.js'
import { freshSeed, updateOf } from './traffic.js'

const ROUNDS = 5
/** Rows that one statement makes. */
const AT_ONCE = 10_000

const MIB = 1024 ** 2
/** MariaDB's defaults, and the settings of a database of a million users: all of it in memory, with few checkpoints. */
const POOLS = {
  '128 MiB': { pool: 128 * MIB, redoLog: 96 * MIB },
  '4 GiB': { pool: 4096 * MIB, redoLog: 2048 * MIB },
} as const
type Pool = keyof typeof POOLS

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
  const pools = Object.keys(POOLS) as Pool[]
  const scores: Record<Pool, Scores> = { '128 MiB': { none: [], many: [] }, '4 GiB': { none: [], many: [] } }
  await stage.clear()
  await round('warm', 0)
  say(`filling the tables with ${thousands(users)} users`)
  for (const table of FILLED) await stage.database.query(`CREATE TABLE mirror.${table}_aside LIKE mirror.${table}`)
  await fillTables(stage, users)
  let rounds = 0
  for (const pool of pools) {
    await resizePool(stage, POOLS[pool])
    const { none, many } = scores[pool]
    for (let index = 1; index <= ROUNDS; index += 1) {
      say(`round ${index} of ${ROUNDS} with a buffer pool of ${pool}`)
      rounds += 1
      await swapTables(stage)
      await stage.clear()
      none.push(await round('many', rounds * events))
      await swapTables(stage)
      await stage.database.query('TRUNCATE mirror.webhook_events')
      many.push(await round('many', rounds * events))
    }
  }
  const row = (pool: Pool): Row => {
    const [many, none] = [perSecond(scores[pool].many), perSecond(scores[pool].none)]
    const names: [string, string] = [perS(median(many)), `empty tables: ${perS(median(none))}`]
    const what = `applied with ${thousands(users)} users ÷ with none, buffer pool of ${pool}`
    return ratioRow(what, names, ratio(many, none), { least: 0.85 })
  }
  return {
    title: 'A million users',
    about: `a backlog of ${thousands(events)} updates of users all over the table, with ${thousands(users)} users and their objects in the tables and with none. In MariaDB’s default buffer pool of 128 MiB the tables do not fit; in 4 GiB they do, with a redo log of 2 GiB instead of 96 MiB.`,
    rows: pools.map(row),
    cpu: Object.fromEntries(
      pools.flatMap((pool) => [
        [`with none, ${pool}`, cpuOf(scores[pool].none)],
        [`with ${thousands(users)}, ${pool}`, cpuOf(scores[pool].many)],
      ]),
    ),
  }
}

type Scores = { none: Score[]; many: Score[] }

const FILLED = ['clerk_objects', 'users'] as const

/** Resizes the buffer pool, and reads the full tables into it as far as they fit. */
async function resizePool({ database }: Stage, { pool, redoLog }: (typeof POOLS)[Pool]): Promise<void> {
  await database.query(`SET GLOBAL innodb_buffer_pool_size = ${pool}`)
  await database.query(`SET GLOBAL innodb_log_file_size = ${redoLog}`)
  await until(async () => {
    const [row] = await database.query<{ bytes: bigint }[]>('SELECT @@innodb_buffer_pool_size AS bytes')
    return Number(row?.bytes) === pool
  })
  await database.query('SELECT SUM(LENGTH(data)) FROM mirror.clerk_objects')
  await database.query('SELECT SUM(LENGTH(email)) FROM mirror.users')
}

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
