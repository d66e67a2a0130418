import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../../packages/devstack/src/random.js'
import { LEASE_CHECK_MS, LEASE_MS } from '../../../packages/queue/src/limits.js'
import { until } from '../../support/until.js'
import { type Leases, leases } from '../oracle/leases.js'
import type { Ingest, Worker } from '../stage/fleet.js'
import type { Ended, Fault, Scene } from '../stage/scene.js'
import { recordPromise } from '../totals.js'

export const anyOf = <T>(all: readonly T[], random: Random): T => {
  const one = all[random.integer(0, all.length - 1)]
  if (one === undefined) throw new Error('there is none to choose from')
  return one
}

const now = (part: { ingest?: string; worker?: string } = {}): Ended => ({ endedAtMs: performance.now(), ...part })
/** Mostly short: most faults at the end of a freeze have to do with a limit of 0.4 to 15 s. */
export const freezeMs = (random: Random) => 1_000 + Math.round(39_000 * random.fraction() ** 3)
export const holdMs = (random: Random) => random.integer(500, 2_500)

const SLOW_MS = 30
/** So long a slow database takes to fill the workers' hands. */
const FILLING_MS = 1_500
const STOPPED_WITHIN_MS = 20_000
const TAKEN_OVER_WITHIN_MS = 15_000
const PATIENCE_MS = 4 * TAKEN_OVER_WITHIN_MS

/** Makes the database slow for a moment, so that the process which is hit has events in flight. */
export async function withHandsFull<T>({ fleet }: Scene, act: () => Promise<T>): Promise<T> {
  for (const { database } of fleet.workers) database.delay(SLOW_MS)
  await pause(FILLING_MS)
  try {
    return await act()
  } finally {
    for (const { database } of fleet.workers) database.pass()
  }
}

/**
 * Measures until every event that a dead worker held is with another worker, or done. A lease that still holds after
 * its term belongs to a living worker: to another one, or to the one that had it all along.
 */
async function watchTakeover({ site, totals, clockwork, violated }: Scene, held: Leases): Promise<void> {
  const startedMs = clockwork.nowMs()
  await pause(LEASE_MS + LEASE_CHECK_MS / 2)
  const isTaken = async () => ![...(await leases(site.redis, [...held.keys()])).values()].includes('')
  try {
    await until(isTaken, PATIENCE_MS + clockwork.starvedMs())
    recordPromise(
      totals,
      "a killed worker's events are with another",
      TAKEN_OVER_WITHIN_MS,
      clockwork.nowMs() - startedMs,
    )
  } catch {
    violated("a killed worker's events are with another", `not within ${PATIENCE_MS / 1000} s`)
  }
}

async function killWorker(scene: Scene, random: Random): Promise<Ended> {
  const { member } = anyOf(scene.fleet.workers, random)
  const takeover = await withHandsFull(scene, async () => {
    await member.kill()
    return watchTakeover(scene, await leases(scene.site.redis))
  })
  await pause(holdMs(random))
  const ended = now({ worker: member.name })
  member.start()
  await takeover
  return ended
}

/** The workers of the second kill hold the events that they took over from the first. */
async function killWorkersTwice(scene: Scene, random: Random): Promise<Ended> {
  const { workers } = scene.fleet
  await withHandsFull(scene, async () => void (await Promise.all(workers.map(({ member }) => member.kill()))))
  for (const { member } of workers) member.start()
  // All that was held comes back one by one; on a slow database there is some left after the lease and two checks.
  for (const { database } of workers) database.delay(4 * SLOW_MS)
  await pause(random.integer(9_500, 13_000))
  await Promise.all(workers.map(({ member }) => member.kill()))
  for (const { database } of workers) database.pass()
  const ended = now({ worker: anyOf(workers, random).member.name })
  for (const { member } of workers) member.start()
  return ended
}

async function killIngest({ fleet }: Scene, random: Random): Promise<Ended> {
  const { member } = anyOf(fleet.ingests, random)
  await member.kill()
  await pause(holdMs(random))
  const ended = now({ ingest: member.name })
  member.start()
  return ended
}

async function killIngestTwice({ fleet }: Scene, random: Random): Promise<Ended> {
  const { member } = anyOf(fleet.ingests, random)
  await member.kill()
  member.start()
  await pause(random.integer(0, 1_500))
  await member.kill()
  const ended = now({ ingest: member.name })
  member.start()
  return ended
}

async function freeze({ member }: Ingest | Worker, random: Random, part: 'ingest' | 'worker'): Promise<Ended> {
  member.freeze()
  await pause(freezeMs(random))
  member.thaw()
  return now({ [part]: member.name })
}

/** A drain leaves nothing behind that a lease has to run out for. */
async function stopWorkers(scene: Scene): Promise<Ended> {
  const { fleet, site, totals, violated } = scene
  const before = await leases(site.redis)
  const exits = await withHandsFull(scene, () => Promise.all(fleet.workers.map(({ member }) => member.stop())))
  const left = await leases(site.redis)
  // An event without a lease before the kill was not left by an earlier death.
  const abandoned = [...left].filter(([id, token]) => before.get(id) !== token)
  const ended = now({ worker: fleet.workers[0]?.member.name ?? '' })
  for (const { member } of fleet.workers) member.start()
  for (const { code, tookMs } of exits) {
    recordPromise(totals, 'a worker that is told to stop drains', STOPPED_WITHIN_MS, tookMs)
    if (code !== 0) violated('a worker that is told to stop exits with 0', String(code))
  }
  if (abandoned.length > 0)
    violated('a worker that is told to stop gives back what it holds', `${abandoned.length} kept`)
  return ended
}

async function stopIngest({ fleet, totals, violated }: Scene, random: Random): Promise<Ended> {
  const { member } = anyOf(fleet.ingests, random)
  const { code, tookMs } = await member.stop()
  recordPromise(totals, 'an ingest that is told to stop stops', STOPPED_WITHIN_MS, tookMs)
  if (code !== 0) violated('an ingest that is told to stop exits with 0', String(code))
  const ended = now({ ingest: member.name })
  member.start()
  return ended
}

async function stallLogReader({ fleet, violated }: Scene, random: Random): Promise<Ended> {
  const { member } = anyOf<Ingest | Worker>([...fleet.ingests, ...fleet.workers], random)
  member.stallReader()
  try {
    await pause(freezeMs(random))
    if (!(await member.isAlive())) violated('a process whose log nobody reads answers /livez', member.name)
  } finally {
    member.resumeReader()
  }
  return now()
}

/** Every line that it writes from now on is refused. */
async function closeLogReader({ fleet, journal, violated }: Scene, random: Random): Promise<Ended> {
  const [{ member: ingest }, { member: worker }] = [anyOf(fleet.ingests, random), anyOf(fleet.workers, random)]
  for (const member of [ingest, worker]) member.closeReader()
  // A worker with a readable log decides the event that this ingest accepts.
  const applied = await journal.recovery(performance.now(), { ingest: ingest.name }, PATIENCE_MS)
  if (applied === null) violated('an ingest whose log reader is gone takes events', 'none')
  for (const member of [ingest, worker]) {
    if (!(await member.isAlive())) violated('a process whose log reader is gone answers /livez', member.name)
    const { code } = await member.stop()
    if (code !== 0) violated('a process whose log reader is gone stops with 0', `${member.name}: ${code}`)
  }
  const ended = now({ ingest: ingest.name, worker: worker.name })
  for (const member of [ingest, worker]) member.start()
  return ended
}

const MINUTE_MS = 60_000

/** Its clock is wrong for a while; afterwards it must work again as if nothing had been. */
function wrongClock(part: 'ingest' | 'worker', minutes: number): Fault['inject'] {
  return async ({ fleet, totals, violated }, random) => {
    const { member } = part === 'ingest' ? anyOf(fleet.ingests, random) : anyOf(fleet.workers, random)
    await member.stop()
    const refusedBefore = totals.refused['401 stale_timestamp'] ?? 0
    member.start(random.pick([1, -1]) * minutes * MINUTE_MS)
    await until(() => member.isReady(), PATIENCE_MS).catch(() => violated('a process with a wrong clock starts', 'no'))
    await pause(random.integer(3_000, 5_000))
    const refused = (totals.refused['401 stale_timestamp'] ?? 0) - refusedBefore
    const refuses = part === 'ingest' && minutes > 5
    if (refuses !== refused > 0) violated(`${member.name}, ${minutes} minutes off, refuses`, `${refused} times`)
    await member.stop()
    const ended = now({ [part]: member.name })
    member.start()
    return ended
  }
}

/** One after the other, each when the one before is ready; then the servers. */
async function restartEverything({ fleet, site }: Scene): Promise<Ended> {
  for (const member of fleet.members) {
    await member.stop()
    member.start()
    await member.ready(PATIENCE_MS)
  }
  await site.redisServer.stop()
  await site.redisServer.start()
  await site.databaseServer.stop()
  const ended = now()
  await site.databaseServer.start()
  return ended
}

export const FAULTS_OF_PROCESSES: readonly Fault[] = [
  { name: 'kill a worker', inject: killWorker },
  { name: 'kill all workers twice', inject: killWorkersTwice },
  { name: 'kill an ingest', inject: killIngest },
  { name: 'kill an ingest twice', inject: killIngestTwice },
  {
    name: 'freeze an ingest',
    slowsDoors: true,
    inject: ({ fleet }, random) => freeze(anyOf(fleet.ingests, random), random, 'ingest'),
  },
  {
    name: 'freeze a worker',
    inject: ({ fleet }, random) => freeze(anyOf(fleet.workers, random), random, 'worker'),
  },
  { name: 'stop all workers under load', inject: stopWorkers },
  { name: 'stop an ingest under load', inject: stopIngest },
  { name: 'ingest clock 2 minutes off', inject: wrongClock('ingest', 2) },
  { name: 'ingest clock 10 minutes off', inject: wrongClock('ingest', 10) },
  { name: 'worker clock 2 minutes off', inject: wrongClock('worker', 2) },
  { name: 'worker clock 10 minutes off', inject: wrongClock('worker', 10) },
  { name: 'stalled log reader', inject: stallLogReader },
  { name: 'log reader gone', inject: closeLogReader },
  { name: 'rolling restart of everything', inject: restartEverything },
]
