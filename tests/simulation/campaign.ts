import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Violation } from '../support/invariants.js'
import { generate } from './generate.js'
import type { History } from './history.js'
import { type HistoryRun, runHistory } from './run-history.js'
import { shrink } from './shrink.js'
import type { Site } from './site.js'
import { storyOf } from './story.js'

export type CampaignOptions = {
  /** Of the first history; the next has the next number. */
  seed: number
  durationMs: number
  /** Where a failing history is kept. */
  folder: string
  shrinkMs: number
  signal?: AbortSignal
  progress?: (histories: number, elapsedMs: number) => void
}

export type CampaignResult = { histories: number; elapsedMs: number; failure: Failure | null }
export type Failure = { seed: number; story: string }

/** Histories, one after the other, until the time is over, an interruption, or the first violation. */
export async function runCampaign(site: Site, options: CampaignOptions): Promise<CampaignResult> {
  const startedAtMs = performance.now()
  const elapsedMs = () => performance.now() - startedAtMs
  let histories = 0
  while (elapsedMs() < options.durationMs && options.signal?.aborted !== true) {
    const history = generate(options.seed + histories)
    const run = await runSafely(site, history)
    histories += 1
    options.progress?.(histories, elapsedMs())
    if (run.violations.length === 0) continue
    const foundAfterMs = elapsedMs()
    return { histories, elapsedMs: foundAfterMs, failure: await explain(site, history, run, options) }
  }
  return { histories, elapsedMs: elapsedMs(), failure: null }
}

/** A history may also fail by breaking something: that is a violation with a history to keep, like any other. */
async function runSafely(site: Site, history: History): Promise<HistoryRun> {
  try {
    return await runHistory(site, history)
  } catch (error) {
    const found = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const crash = { invariant: 'crash', object: `history ${history.seed}`, what: 'an error', expected: 'none', found }
    return { violations: [crash], journal: [] }
  }
}

async function explain(
  site: Site,
  history: History,
  run: HistoryRun,
  { folder, shrinkMs, signal }: CampaignOptions,
): Promise<Failure> {
  mkdirSync(folder, { recursive: true })
  const deadlineMs = Date.now() + shrinkMs
  const whole = join(folder, `history-${history.seed}.json`)
  keep(whole, history, run)
  const { smallest, smallestRun, tries } = await shrunk(site, history, run, () =>
    signal?.aborted === true ? 0 : deadlineMs,
  )
  const shrunkTo = join(folder, `history-${history.seed}-shrunk.json`)
  if (smallest !== history) keep(shrunkTo, smallest, smallestRun)
  const repeated = tries === 0 ? 'it did not fail again' : `it failed again at try ${tries}`
  const story = [
    `history ${history.seed} shows ${run.violations.length} violations (${repeated}; races do not repeat at will)`,
    `kept in ${whole}; once more with SEED=${history.seed} npm run test:simulation`,
    '',
    storyOf(history, run.violations, run.journal),
  ]
  if (smallest === history) return { seed: history.seed, story: story.join('\n') }
  story.push('', `Shrunk from ${history.events.length} to ${smallest.events.length} events, in ${shrunkTo}:`, '')
  story.push(storyOf(smallest, smallestRun.violations, smallestRun.journal))
  return { seed: history.seed, story: story.join('\n') }
}

function keep(path: string, history: History, { violations, journal }: HistoryRun): void {
  writeFileSync(path, `${JSON.stringify({ ...history, violations, journal }, null, 2)}\n`)
}

/** Most runs of one candidate: a race shows itself in one run and not in the next. */
const RUNS_OF_A_CANDIDATE = 20
/** As many runs tell nothing new of a candidate, when the whole history failed every time. */
const RUNS_WHEN_CERTAIN = 2

async function shrunk(site: Site, history: History, run: HistoryRun, deadlineMs: () => number) {
  const invariants = new Set(run.violations.map(({ invariant }) => invariant))
  let smallestRun = run
  let runs = RUNS_OF_A_CANDIDATE
  let used = 0
  const stillFails = async (candidate: History) => {
    for (used = 1; used <= runs && Date.now() < deadlineMs(); used += 1) {
      const again = await runSafely(site, candidate)
      if (!again.violations.some((violation: Violation) => invariants.has(violation.invariant))) continue
      smallestRun = again
      return true
    }
    return false
  }
  if (!(await stillFails(history))) return { smallest: history, smallestRun: run, tries: 0 }
  const tries = used
  if (tries === 1 && (await stillFails(history)) && used === 1) runs = RUNS_WHEN_CERTAIN
  const smallest = await shrink(history, stillFails, deadlineMs)
  return { smallest, smallestRun, tries }
}
