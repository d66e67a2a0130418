import type { Delivery } from '@clerk-mirror/devstack'
import type { Releasers } from '@clerk-mirror/runtime'
import { until } from '../tests/support/until.js'
import { IN_FLIGHT } from './contestant.js'
import { residentBytes } from './cpu.js'
import { assertNewest } from './exact.js'
import type { Report, Row } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, ratioOf, thousands } from './statistics.js'
import { openSubjects } from './subjects.js'
import { freshSeed, updateOf } from './traffic.js'

/** Events sent, applied and looked after at once; memory is read after each such part. */
const PART = 10_000
const PEOPLE = 5_000
const PATIENCE_MS = 120_000
/** The allowed growth of a process while its caches and the collector find their size, over the whole run. */
const FLAT_MIB = 32

/** The memory of each process of ours while many events pass. */
export async function growthSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const { ingest, worker } = await openSubjects(stage, owned)
  const parts = quick ? 4 : 100
  const seed = freshSeed()
  const resident: Record<'ingest' | 'worker', number[]> = { ingest: [], worker: [] }
  const newest = new Map<string, string>()
  await stage.clear()
  for (let part = 0; part < parts; part += 1) {
    const deliveries = Array.from({ length: PART }, (_, index) => eventOf(seed, part * PART + index))
    // A refusal does no harm here: the part is sent again, and its stored events are duplicates.
    await until(() => stage.send(deliveries, ingest.port, { connections: IN_FLIGHT }).then(() => true), PATIENCE_MS)
    await stage.drained()
    for (const { objectId, eventId } of deliveries) newest.set(objectId, eventId)
    resident.ingest.push(residentBytes(ingest.pid) ?? 0)
    resident.worker.push(residentBytes(worker.pid) ?? 0)
    if (part % 10 === 9) say(`${thousands((part + 1) * PART)} events`)
  }
  await assertNewest(stage, parts * PART, newest)
  const rows = (['ingest', 'worker'] as const).map((name): Row => {
    const quarter = Math.max(1, Math.floor(parts / 4))
    const [early, late] = [resident[name].slice(quarter, 2 * quarter), resident[name].slice(-quarter)]
    const grownMib = (median(late) - median(early)) / 2 ** 20
    const ratios = late.map((bytes) => bytes / median(early))
    const [subject, reference] = [mib(median(late)), `second quarter: ${mib(median(early))}`]
    const target = `≤ ${FLAT_MIB} MiB more`
    return {
      what: `${name}, last quarter ÷ second`,
      subject,
      reference,
      ratio: ratioOf(ratios),
      target,
      met: grownMib <= FLAT_MIB,
    }
  })
  return {
    title: 'Memory over many events',
    about: `resident memory of each process while ${thousands(parts * PART)} events pass, read ${parts} times; medians of the last quarter of the run and of its second.`,
    rows,
  }
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`

const eventOf = (seed: number, index: number): Delivery =>
  updateOf(`user_growth${seed}x${index % PEOPLE}`, `msg_${seed}x${index}`, index)
