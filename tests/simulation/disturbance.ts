import { setTimeout as pause } from 'node:timers/promises'
import type { Violation } from '../support/invariants.js'
import type { Site } from './site.js'

const LOOKS = 40
const LOOK_MS = 2

/**
 * Kills connections of the appliers while they are at work; gives up when all are idle. Resolves to the number of
 * kills.
 */
export async function killSome(site: Site, kills: number): Promise<number> {
  if (kills === 0) return 0
  await using connection = await site.connect()
  let killed = 0
  for (let look = 0; look < LOOKS && killed < kills; look += 1) {
    const busy = await connection.query<{ id: bigint }[]>(
      // A session that is being set up may still turn out to be our own.
      "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = ? AND COMMAND = 'Query' " +
        "AND INFO NOT LIKE 'SET %' AND INFO NOT LIKE 'SELECT @@%'",
      [site.options.database],
    )
    const victim = busy.map(({ id }) => Number(id)).find((id) => !site.ownThreads.has(id))
    if (victim === undefined) await pause(LOOK_MS)
    else if (await kill(connection, victim)) killed += 1
  }
  return killed
}

const NO_SUCH_THREAD = 1094

async function kill(connection: { query: (sql: string) => Promise<unknown> }, id: number): Promise<boolean> {
  try {
    await connection.query(`KILL ${id}`)
    return true
  } catch (error) {
    if (error instanceof Error && 'errno' in error && error.errno === NO_SUCH_THREAD) return false
    throw error
  }
}

/** Takes a table away while `work` runs. */
export async function without<T>(site: Site, table: string | null, work: () => Promise<T>): Promise<T> {
  if (table === null) return await work()
  await site.query(`RENAME TABLE ${table} TO ${table}_away`)
  try {
    return await work()
  } finally {
    await site.query(`RENAME TABLE ${table}_away TO ${table}`)
  }
}

const WATCH_MS = 3

/** Reads snapshots while `work` runs: a row and its ledger entry commit together, at every moment. */
export async function watched(site: Site, work: Promise<unknown>): Promise<Violation[]> {
  let isRunning = true
  const end = () => {
    isRunning = false
  }
  void work.then(end, end)
  const seen = new Map<string, Violation>()
  while (isRunning) {
    for (const found of await site.oracle.halfCommitted()) seen.set(`${found.object} ${found.what}`, found)
    await pause(WATCH_MS)
  }
  await work
  return [...seen.values()]
}
