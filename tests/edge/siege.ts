import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '../support/until.js'
import { sendHonest } from './honest.js'
import type { EdgeSite } from './site.js'

export type SiegeOptions = {
  /** Connections that are slow in every way. */
  slow: number
  /** Connections that send thousands of requests ahead of their answers. */
  pipelining?: number
  /** Connections that send unsigned requests, as fast as they are refused. */
  junk?: number
  durationMs: number
  /** In which every honest event must be taken. */
  honestWithinMs?: number
}

export type SiegeReport = {
  /** Connections of the besieger that were open at once, as far as it could tell. */
  besiegersMost: number
  /** Of ingest's own metrics: its most open connections, and how many it closed for which reason. */
  openMost: number
  displaced: number
  pipelined: number
  timedOut: number
  refused: number
  honest: number
  medianHonestMs: number
  slowestHonestMs: number
  memoryMostMiB: number
  violations: string[]
}

const HONEST_EVERY_MS = 50
const MEBIBYTE = 1024 * 1024
/** `BODY_BYTES_SUM_MAX` and SECURITY.md say so. */
const MEMORY_MAX_MIB = 512
const GATHERED_WITHIN_MS = 120_000

/** Honest events, each on a connection of its own, while so many others do all they can to be in their way. */
export async function besiege(site: EdgeSite, options: SiegeOptions): Promise<SiegeReport> {
  const { slow, pipelining = 0, junk = 0, durationMs, honestWithinMs } = options
  const report: SiegeReport = {
    ...{ besiegersMost: 0, openMost: 0, displaced: 0, pipelined: 0, timedOut: 0, refused: 0 },
    ...{ honest: 0, medianHonestMs: 0, slowestHonestMs: 0, memoryMostMiB: 0, violations: [] },
  }
  await using besieger = new Besieger({ port: site.port, slow, pipelining, junk })
  await until(() => besieger.isComplete, GATHERED_WITHIN_MS)
  const endsMs = performance.now() + durationMs
  const tookMs: number[] = []
  while (performance.now() < endsMs) {
    tookMs.push(await sendHonest(site, `msg_honest${tookMs.length}`, report.violations, honestWithinMs))
    if (tookMs.length % 20 === 1) await look(site, besieger, report)
    await pause(HONEST_EVERY_MS)
  }
  tookMs.sort((a, b) => a - b)
  report.honest = tookMs.length
  report.medianHonestMs = Math.round(tookMs[Math.floor(tookMs.length / 2)] ?? 0)
  report.slowestHonestMs = Math.round(tookMs.at(-1) ?? 0)
  await besieger[Symbol.asyncDispose]()
  await until(async () => (await site.metric('clerk_mirror_ingest_connections')) <= 1)
  const closed = 'clerk_mirror_ingest_connections_closed_total'
  report.displaced = await site.metric(closed, 'reason="displaced"')
  report.pipelined = await site.metric(closed, 'reason="pipelined"')
  report.timedOut = await site.metric('clerk_mirror_ingest_refused_total', 'code="request_timeout"')
  report.refused = await site.metric('clerk_mirror_ingest_refused_total')
  const stored = (await site.eventIds()).length
  if (stored !== report.honest) report.violations.push(`${report.honest} honest events, and ${stored} in Redis`)
  if (report.memoryMostMiB > MEMORY_MAX_MIB) report.violations.push(`it took ${report.memoryMostMiB} MiB`)
  return report
}

async function look(site: EdgeSite, besieger: Besieger, report: SiegeReport): Promise<void> {
  report.besiegersMost = Math.max(report.besiegersMost, besieger.open)
  report.openMost = Math.max(report.openMost, await site.metric('clerk_mirror_ingest_connections'))
  const bytes = await site.metric('process_resident_memory_bytes')
  report.memoryMostMiB = Math.max(report.memoryMostMiB, Math.round(bytes / MEBIBYTE))
}

const SCRIPT = fileURLToPath(new URL('../support/processes/besieger-process.mjs', import.meta.url))

/** The connections of the besieger, in a process of their own. */
class Besieger implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  open = 0
  isComplete = false

  constructor(task: { port: number; slow: number; pipelining: number; junk: number }) {
    this.#child = fork(SCRIPT, [JSON.stringify(task)])
    this.#closed = once(this.#child, 'close')
    this.#child.on('message', (told: { open: number; isComplete?: true }) => {
      this.open = told.open
      this.isComplete ||= told.isComplete ?? false
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }
}
