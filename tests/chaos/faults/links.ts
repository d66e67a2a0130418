import { setTimeout as pause } from 'node:timers/promises'
import type { FaultProxy } from '@clerk-mirror/devstack'
import type { Random } from '../../../packages/devstack/src/random.js'
import { until } from '../../support/until.js'
import type { Part } from '../oracle/journal.js'
import type { Ended, Fault, Scene } from '../stage/scene.js'
import { recordPromise } from '../totals.js'
import { anyOf } from './processes.js'

type Link = { link: FaultProxy; part: Part }
type Road = { name: string; choose: (scene: Scene, random: Random) => Link; isDoor?: true }

const ROADS: readonly Road[] = [
  {
    name: 'sender → ingest',
    isDoor: true,
    choose: ({ fleet }, random) => {
      const { member, link } = anyOf(fleet.ingests, random)
      return { link, part: { ingest: member.name } }
    },
  },
  {
    name: 'ingest → Redis',
    choose: ({ fleet }, random) => {
      const { member, redis } = anyOf(fleet.ingests, random)
      return { link: redis, part: { ingest: member.name } }
    },
  },
  {
    name: 'worker → Redis',
    choose: ({ fleet }, random) => {
      const { member, redis } = anyOf(fleet.workers, random)
      return { link: redis, part: { worker: member.name } }
    },
  },
  {
    name: 'worker → MariaDB',
    choose: ({ fleet }, random) => {
      const { member, database } = anyOf(fleet.workers, random)
      return { link: database, part: { worker: member.name } }
    },
  },
]

type Way = { name: string; begin: (link: FaultProxy, random: Random) => void; holdMs: (random: Random) => number }

const HALF_OPEN = 'half-open'

const WAYS: readonly Way[] = [
  { name: 'cut', begin: (link) => link.cut(), holdMs: () => 0 },
  { name: 'refused', begin: (link) => link.refuse(), holdMs: (random) => random.integer(1_000, 4_000) },
  {
    name: 'delayed',
    begin: (link, random) => link.delay(random.pick([20, 100, 300, 1_000])),
    holdMs: (random) => random.integer(2_000, 5_000),
  },
  { name: HALF_OPEN, begin: (link) => link.halfOpen(), holdMs: (random) => random.integer(1_000, 6_000) },
]

/** The longest that a worker may take to notice a dead connection that no packet reports. */
const WEDGED_MS = 30_000
const PATIENCE_MS = 4 * WEDGED_MS

const faultOf = (road: Road, way: Way): Fault => ({
  name: `${road.name} ${way.name}`,
  ...(road.isDoor && { slowsDoors: true }),
  async inject(scene, random) {
    const { link, part } = road.choose(scene, random)
    way.begin(link, random)
    await pause(way.holdMs(random))
    link.pass()
    const ended = { endedAtMs: performance.now(), ...part }
    if (way.name === HALF_OPEN) await watchNotice(scene, ended)
    return ended
  },
})

async function watchNotice({ journal, totals, violated }: Scene, { endedAtMs, ...part }: Ended): Promise<void> {
  const promise = 'a half-open connection is noticed'
  const tookMs = await journal.recovery(endedAtMs, part, PATIENCE_MS)
  if (tookMs !== null) return recordPromise(totals, promise, WEDGED_MS, tookMs)
  violated(promise, `${Object.values(part).join()} not within ${PATIENCE_MS / 1000} s`)
}

const HEALTHY_AFTER_MS = 2_000
const HEALTHY_WITHIN_MS = 40_000

/** An event that kills every connection which sends it: the worker isolates it, and it delays no other event. */
async function breakConnections({
  fleet,
  journal,
  deadLetters,
  nextEventId,
  trapped,
  violated,
}: Scene): Promise<Ended> {
  const eventId = await nextEventId()
  trapped.add(eventId)
  for (const { database } of fleet.workers) database.breakOn(eventId)
  const startedMs = performance.now()
  await pause(HEALTHY_AFTER_MS)
  const accepted = journal.acceptedBetween(startedMs, performance.now())
  const others = accepted.filter((id) => !trapped.has(id) && !deadLetters.broken.has(id))
  await until(() => others.every(journal.isDecided), HEALTHY_WITHIN_MS).catch(() => {
    const left = others.filter((id) => !journal.isDecided(id)).length
    violated('an event that breaks its connection holds up no other', `${left} of ${others.length} still wait`)
  })
  for (const { database } of fleet.workers) database.breakOn(null)
  return { endedAtMs: performance.now() }
}

export const FAULTS_OF_LINKS: readonly Fault[] = [
  ...ROADS.flatMap((road) => WAYS.map((way) => faultOf(road, way))),
  { name: 'event that breaks its connection', inject: breakConnections },
]
