import type { Releasers } from '@clerk-mirror/runtime'
import { IN_FLIGHT } from './contestant.js'
import { assertExact } from './exact.js'
import { type Report, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, quantile, ratio, thousands } from './statistics.js'
import { openSubjects } from './subjects.js'
import { freshSeed, ordinaryTraffic } from './traffic.js'

const ROUNDS = 5
/** Far below the capacity of ingest alone, and a busy day of a large application. */
const PER_S = 500

/** How long a sender waits for its 202 while the worker is busy with a backlog, beside the same without one. */
export async function backlogSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const { ingest, worker } = await openSubjects(stage, owned)
  const backlog = quick ? 5_000 : 100_000
  const seconds = quick ? 1 : 10
  const [quiet, busy]: [number[], number[]] = [[], []]
  const pace = { connections: IN_FLIGHT, perS: PER_S }
  for (let round = 0; round <= ROUNDS; round += 1) {
    say(round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    await stage.clear()
    const fresh = ordinaryTraffic(PER_S * seconds, freshSeed())
    const alone = await stage.send(fresh, ingest.port, pace)
    await stage.drained()
    await assertExact(stage, fresh)
    await stage.clear()
    const waiting = ordinaryTraffic(backlog, freshSeed())
    const arriving = ordinaryTraffic(PER_S * seconds, freshSeed())
    worker.freeze()
    await stage.fill(waiting)
    worker.thaw()
    const beside = await stage.send(arriving, ingest.port, pace)
    if ((await stage.queue.getWaitingCount()) === 0) say('the backlog was gone before the requests were')
    await stage.drained()
    await assertExact(stage, [...waiting, ...arriving])
    if (round === 0) continue
    quiet.push(quantile(alone.latenciesMs, 0.99))
    busy.push(quantile(beside.latenciesMs, 0.99))
  }
  const names: [string, string] = [`${median(busy).toFixed(1)} ms`, `without: ${median(quiet).toFixed(1)} ms`]
  return {
    title: 'Accepting beside a backlog',
    about: `${PER_S} requests a second for ${seconds} s, with and without a worker that drains a backlog of ${thousands(backlog)} at the same time, on the same cores.`,
    rows: [ratioRow('accept latency, p99 ÷ without a backlog', names, ratio(busy, quiet), { most: 2 })],
  }
}
