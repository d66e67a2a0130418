import type { Releasers } from '@clerk-mirror/runtime'
import { IN_FLIGHT } from './contestant.js'
import { assertExact } from './exact.js'
import type { Program } from './program.js'
import { stockPair } from './references.js'
import { type Report, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Sent, Stage } from './stage.js'
import { median, quantile, ratio } from './statistics.js'
import { openSubjects } from './subjects.js'
import { freshSeed, ordinaryTraffic } from './traffic.js'

const ROUNDS = 5
const LOADING = 10_000

/** From the 202 until the event is committed, at a tenth of the road's rate, beside the usual worker's transaction. */
export async function lagSection(stage: Stage, owned: Releasers, { quick, say }: Run): Promise<Report> {
  const { ingest, worker, road } = await openSubjects(stage, owned)
  const usual = await stockPair(stage, owned, 10)
  await stage.clear()
  await road(ordinaryTraffic(LOADING / 5, freshSeed()))
  await stage.clear()
  const sustained = await road(ordinaryTraffic(quick ? LOADING / 2 : LOADING, freshSeed()))
  const perS = sustained.perS / 10
  say(`sustained ${Math.round(sustained.perS)} a second, measured at ${Math.round(perS)}`)
  const [lags, transactions, middle]: [number[], number[], number[]] = [[], [], []]
  for (let round = 1; round <= ROUNDS; round += 1) {
    say(`round ${round} of ${ROUNDS}`)
    const deliveries = ordinaryTraffic(Math.round(perS * (quick ? 3 : 15)), freshSeed())
    await stage.clear()
    const sent = await stage.send(deliveries, ingest.port, { connections: IN_FLIGHT, perS })
    await stage.drained()
    await assertExact(stage, deliveries)
    const lagsMs = lagsOf(
      deliveries.map(({ eventId }) => eventId),
      sent,
      worker,
    )
    lags.push(quantile(lagsMs, 0.99))
    middle.push(median(lagsMs))
    transactions.push(quantile(await usual(deliveries, perS), 0.99))
  }
  const names: [string, string] = [`${ms(median(lags))} (p50 ${ms(median(middle))})`, `R3: ${ms(median(transactions))}`]
  return {
    title: 'Lag',
    about: `from the answer 202 to the committed row, at ${Math.round(perS)} events a second, a tenth of what the road took in the same run; R3’s transaction at the same rate, concurrency 10. The time of the commit is that of the worker’s own log line, to the millisecond.`,
    rows: [ratioRow('lag, p99 ÷ p99 of one R3 transaction', names, ratio(lags, transactions), { most: 3 })],
  }
}

const ms = (value: number) => `${value.toFixed(1)} ms`

function lagsOf(eventIds: readonly string[], sent: Sent, worker: Program): number[] {
  const decidedAtMs = new Map<string, number>()
  for (const line of worker.lines) {
    if (line.event === 'event.decided') decidedAtMs.set(String(line['eventId']), Date.parse(String(line['time'])))
  }
  return eventIds.map((id, index) => {
    const atMs = decidedAtMs.get(id)
    if (atMs === undefined) throw new Error('the run is not valid: the worker does not say what it did')
    // A worker may be done before the generator has read the answer.
    return Math.max(0, atMs - (sent.answeredAtMs[index] ?? 0))
  })
}
