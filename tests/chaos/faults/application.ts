import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../../packages/devstack/src/random.js'
import { connectOnce } from '../../../packages/mirror/src/database/connection.js'
import { parseDatabaseUrl } from '../../../packages/mirror/src/database/database-url.js'
import { BLOCKED } from '../../../packages/queue/src/lua/gauge-scripts.js'
import { until } from '../../support/until.js'
import type { Ended, Fault, Scene } from '../stage/scene.js'
import { key } from '../stage/site.js'
import { holdMs } from './processes.js'
import { DRIFTS, type Drift, NOW } from './schema-drift.js'

/*
 * Faults that the application makes: it changes the tables of the mirror behind its back, or holds rows of them.
 */

/** By then a worker has met it, if an event that it concerns has come at all. */
const MET_WITHIN_MS = 15_000
/** An idle session of the application, which may last. */
const SESSION_S = 600
/** Longer than a batch waits for a row before it goes on without it. */
const HELD_MS = { least: 4_000, most: 12_000 } as const
const HELD_ROWS = 3
const GO_ON_WITHIN_MS = 20_000

const driftOf = ({ name, drift, mend, stops }: Drift): Fault => ({
  name: `application: ${name}`,
  async inject({ site, totals }, random) {
    const blocked = () => site.redis.hlen(key(BLOCKED))
    const before = { opened: totals.breakersOpened, blocked: await blocked().catch(() => 0) }
    const [{ now } = { now: '' }] = await site.query<{ now: string }>('SELECT CAST(UTC_TIMESTAMP(3) AS CHAR) AS `now`')
    for (const statement of drift) await site.query(statement.replace(NOW, `'${now}'`))
    const isMet = async () =>
      stops === 'all' ? totals.breakersOpened > before.opened : (await blocked()) > before.blocked
    await until(isMet, MET_WITHIN_MS).catch(() => {})
    await pause(holdMs(random))
    for (const statement of mend) await site.query(statement)
    return { endedAtMs: performance.now() }
  },
})

/** The newest rows, of which events are the likeliest to come. Events of other people go on beside them. */
async function holdRows({ site, journal, deadLetters, trapped, violated }: Scene, random: Random): Promise<Ended> {
  const holder = await connectOnce(parseDatabaseUrl(site.adminUrl), 'migration')
  try {
    await holder.query(`SET SESSION wait_timeout = ${SESSION_S}`)
    await holder.query('START TRANSACTION')
    await holder.query(`SELECT id FROM users ORDER BY id DESC LIMIT ${HELD_ROWS} FOR UPDATE`)
    const startedMs = performance.now()
    await pause(random.integer(HELD_MS.least, HELD_MS.most))
    const accepted = journal.acceptedBetween(startedMs, startedMs + HELD_MS.least / 2)
    const others = accepted.filter((id) => !trapped.has(id) && !deadLetters.broken.has(id))
    const decided = () => others.filter(journal.isDecided).length
    // More cannot be about these three of a few dozen people that are told of at a time.
    await until(() => decided() >= others.length / 2, GO_ON_WITHIN_MS).catch(() => {
      violated('events beside a held row go on', `${decided()} of ${others.length} in ${GO_ON_WITHIN_MS / 1000} s`)
    })
  } finally {
    await holder.query('ROLLBACK').catch(() => {})
    holder.destroy()
  }
  return { endedAtMs: performance.now() }
}

export const FAULTS_OF_APPLICATION: readonly Fault[] = [
  ...DRIFTS.map(driftOf),
  { name: 'application: locked rows', inject: holdRows },
]
