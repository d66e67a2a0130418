import { cpus } from 'node:os'
import type { Releasers } from '@clerk-mirror/runtime'
import { bestOf, contest, cpuOf, perSecond, type Scores } from './contest.js'
import type { Contestant } from './contestant.js'
import { type Bar, plotted, writePlot } from './plot.js'
import { bareFastify, bulkInsert, stockProducer, stockWorker, usualHandler } from './references.js'
import { perS, type Report, type Row, ratioRow } from './report.js'
import type { Run } from './section.js'
import type { Stage } from './stage.js'
import { median, ratio } from './statistics.js'
import { openSubjects } from './subjects.js'

/** The road and its two halves beside everything that they are measured by, in the same rounds. */
export async function roadSection(stage: Stage, owned: Releasers, { quick, only, say }: Run): Promise<Report> {
  const { accept, drain, road } = await openSubjects(stage, owned)
  const contestants: Record<string, Contestant> = {
    'R1 bare Fastify': await bareFastify(stage, owned),
    ingest: accept,
    'R5 add': await stockProducer(stage, owned),
    'R5 worker': await stockWorker(stage, owned, 64, 'nothing'),
    worker: drain,
    'R3 at 10': await stockWorker(stage, owned, 10, 'a transaction'),
    'R3 at 64': await stockWorker(stage, owned, 64, 'a transaction'),
    'R4 rows alone': await bulkInsert(stage, owned),
    'R2 at 10': await usualHandler(stage, owned, 10),
    'R2 at 64': await usualHandler(stage, owned, 64),
    'the road': road,
  }
  const asked = Object.entries(contestants).filter(([name]) => only.length === 0 || only.includes(name))
  const scores = await contest(stage, Object.fromEntries(asked), { rounds: 5, roundMs: quick ? 1_000 : 3_000, say })
  const rates = ratesOf(scores)
  if (only.length === 0) writePlot(plotOf(rates, quick))
  const rows = [
    compared(rates, 'accepted at ingest ÷ R1', 'ingest', 'R1 bare Fastify', 0.5),
    compared(rates, 'worker on a backlog ÷ R3', 'worker', 'R3', 8),
    compared(rates, 'worker on a backlog ÷ R5’s worker', 'worker', 'R5 worker', 0.7),
    compared(rates, 'the whole road ÷ R2', 'the road', 'R2', 4),
  ]
  return {
    title: 'The road',
    about:
      'the mirror’s own programs and every reference in turn, round by round, medians. R1 is bare Fastify, R2 the usual ' +
      'handler (svix, Prisma upsert), R3 the usual worker (BullMQ, a Prisma transaction each), both the better of 10 and ' +
      '64 at a time, R4 the driver’s multi-row inserts of the same rows, R5 BullMQ alone.',
    rows: rows.filter((row) => row !== null),
    notes: [byCpu(scores)],
    cpu: Object.fromEntries(Object.entries(scores).map(([name, of]) => [name, cpuOf(of)])),
  }
}

/** The figures that other programs on the machine do not change. */
function byCpu(scores: Scores<string>): string {
  const all = (name: string) => Object.values(cpuOf(scores[name] ?? [])).reduce((sum, us) => sum + us, 0)
  const pairs = [
    ['R3 at 10', 'worker'],
    ['R2 at 10', 'the road'],
    ['ingest', 'R1 bare Fastify'],
  ].filter((pair) => pair.every((name) => all(name) > 0))
  const said = pairs.map(([one = '', other = '']) => `${one} ÷ ${other} ${(all(one) / all(other)).toFixed(1)}`)
  return `By the CPU time of an event, all processes together: ${said.join(', ')}.`
}

type Rates = Readonly<Record<string, readonly number[]>>

/** Events per second, round by round; of the references that were run in two ways the better one. */
function ratesOf(scores: Scores<string>): Rates {
  const { 'R2 at 10': R2, 'R2 at 64': R2b, 'R3 at 10': R3, 'R3 at 64': R3b } = scores
  const best = { ...(R2 && R2b && { R2: bestOf(R2, R2b) }), ...(R3 && R3b && { R3: bestOf(R3, R3b) }) }
  return Object.fromEntries(Object.entries({ ...scores, ...best }).map(([name, of]) => [name, perSecond(of)]))
}

function compared(rates: Rates, what: string, subject: string, reference: string, least: number): Row | null {
  const { [subject]: ours, [reference]: theirs } = rates
  if (!ours || !theirs) return null
  return ratioRow(what, [perS(median(ours)), `${reference}: ${perS(median(theirs))}`], ratio(ours, theirs), { least })
}

function plotOf(rates: Rates, quick: boolean): string {
  const bar = (is: Bar['is'], key: string, name: string, about: string): Bar => ({
    ...{ is, name, about, perS: median(rates[key] ?? []) },
  })
  const bars = [
    bar('ours', 'the road', 'end to end', 'request to committed rows'),
    bar('ours', 'ingest', 'ingest alone', 'request to durable in Redis'),
    bar('ours', 'worker', 'worker alone', 'Redis to committed rows'),
    bar('usual', 'R2', 'R2, the usual handler', 'svix and a Prisma upsert while Clerk waits'),
    bar('usual', 'R3', 'R3, the usual worker', 'BullMQ and a Prisma transaction per event'),
    bar('limit', 'R1 bare Fastify', 'R1, a bare server', 'reads the body, answers 202'),
    bar('limit', 'R5 add', 'R5, BullMQ’s add', 'one add per event'),
    bar('limit', 'R5 worker', 'R5, BullMQ’s worker', 'does nothing with the event'),
    bar('limit', 'R4 rows alone', 'R4, rows alone', 'the driver’s multi-row inserts'),
  ]
  const { length, 0: core } = cpus()
  const note = `Medians of 5 alternating rounds${quick ? ' (short ones)' : ''} on ${length} × ${core?.model ?? '?'}, all of it on one machine, everything durable.`
  return plotted('Events per second', note, bars)
}
