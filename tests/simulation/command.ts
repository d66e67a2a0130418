import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServices } from '@clerk-mirror/devstack'
import { bar, type Output } from '../../packages/devstack/src/terminal.js'
import { readState, removeState, writeState } from '../support/processes/state-file.js'
import { type CampaignResult, runCampaign } from './campaign.js'
import { readOptions } from './options.js'
import { openSite, type Site } from './site.js'
import { isState } from './state.js'

export type CommandSurroundings = {
  args: readonly string[]
  seed: string | undefined
  /** A server to use instead of one that is started for this run. */
  databaseUrl: string | undefined
  /** Where failing histories and the state of an interrupted run are kept. */
  folder: string
  output: Output
  signal: AbortSignal
}

const MINUTE_MS = 60_000
const SHRINK_MS = 3 * MINUTE_MS
const REPETITIONS = 20
const LINE_AFTER_MS = 5_000
const REDRAW_AFTER_MS = 250
const GREATEST_SEED = 2 ** 40
const INTERRUPTED = 130

/** `npm run test:simulation`. Resolves to the exit code: 1 after a violation, 130 when it was interrupted. */
export async function simulationCommand(surroundings: CommandSurroundings): Promise<number> {
  const options = readOptions(surroundings.args, surroundings.seed)
  const run = (site: Site) =>
    options.mode === 'repeat'
      ? repeat(site, options.seed, surroundings)
      : runFor(site, options.minutes, options.seed, surroundings)
  if (surroundings.databaseUrl !== undefined) return await onServer(surroundings.databaseUrl, run)
  const dataDir = mkdtempSync(join(tmpdir(), 'clerk-mirror-simulation-'))
  try {
    const say = (line: string) => process.stderr.write(`${line}\n`)
    // The simulation needs no Redis: one that is configured is not tried.
    await using services = await openServices({ dataDir, redisUrl: 'redis://unused', say, tuning: 'fast-throwaway' })
    return await onServer(services.database.adminUrl, run)
  } finally {
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 })
  }
}

async function onServer(url: string, run: (site: Site) => Promise<number>): Promise<number> {
  await using site = await openSite(url)
  return await run(site)
}

async function repeat(site: Site, seed: number, { output, folder, signal }: CommandSurroundings): Promise<number> {
  output.write(`history ${seed}, up to ${REPETITIONS} times, on ${site.serverVersion}\n`)
  for (let repetition = 1; repetition <= REPETITIONS && !signal.aborted; repetition += 1) {
    // No time for a second history: it is this one that is asked for.
    const result = await runCampaign(site, { seed, durationMs: 1, shrinkMs: SHRINK_MS, folder, signal })
    if (result.failure) return violated(output, result)
  }
  output.write('no violation\n')
  return signal.aborted ? INTERRUPTED : 0
}

async function runFor(
  site: Site,
  minutes: number,
  seed: number | null,
  { output, folder, signal, databaseUrl }: CommandSurroundings,
): Promise<number> {
  const server = databaseUrl === undefined ? 'own' : new URL(databaseUrl).host.replaceAll(/\W/g, '-')
  const statePath = join(folder, `run-on-${server}.json`)
  const left = seed === null ? readState(statePath, isState) : null
  const before = left?.minutes === minutes ? left : null
  const firstSeed = before?.firstSeed ?? seed ?? randomInt(GREATEST_SEED)
  const past = { histories: before?.histories ?? 0, elapsedMs: before?.elapsedMs ?? 0 }
  output.write(`seed ${firstSeed}, ${minutes} minutes on ${site.serverVersion}\n`)
  if (before) output.write(`goes on after ${past.histories} histories of a run that was interrupted\n`)
  const show = progressOn(output, minutes * MINUTE_MS)
  const total = (histories: number, elapsedMs: number) => ({
    histories: past.histories + histories,
    elapsedMs: past.elapsedMs + elapsedMs,
  })
  const result = await runCampaign(site, {
    seed: firstSeed + past.histories,
    durationMs: minutes * MINUTE_MS - past.elapsedMs,
    shrinkMs: SHRINK_MS,
    folder,
    signal,
    progress: (histories, elapsedMs) => {
      const sum = total(histories, elapsedMs)
      writeState(statePath, { firstSeed, minutes, ...sum })
      show(sum.histories, sum.elapsedMs)
    },
  })
  if (output.isTTY === true) output.write('\n')
  if (result.failure) {
    // The same command is to find it again, and not to go on behind it.
    removeState(statePath)
    return violated(output, result)
  }
  if (signal.aborted) {
    output.write('interrupted; the same command goes on from here\n')
    return INTERRUPTED
  }
  removeState(statePath)
  const sum = total(result.histories, result.elapsedMs)
  output.write(`no violation in ${sum.histories} histories, ${perSecond(sum.histories, sum.elapsedMs)} a second\n`)
  return 0
}

function violated(output: Output, { histories, elapsedMs, failure }: CampaignResult): number {
  output.write(`violation after ${histories} histories, ${(elapsedMs / 1000).toFixed(1)} s\n${failure?.story}\n`)
  return 1
}

const perSecond = (histories: number, elapsedMs: number) => Number((histories / (elapsedMs / 1000)).toFixed(2))

/** A bar on a terminal; else a line of JSON now and then. */
function progressOn(output: Output, durationMs: number): (histories: number, elapsedMs: number) => void {
  const isTerminal = output.isTTY === true
  let shownAtMs = 0
  return (histories, elapsedMs) => {
    const nowMs = performance.now()
    if (nowMs - shownAtMs < (isTerminal ? REDRAW_AFTER_MS : LINE_AFTER_MS)) return
    shownAtMs = nowMs
    const speed = perSecond(histories, elapsedMs)
    if (isTerminal) {
      const done = bar(Math.min(elapsedMs, durationMs), durationMs)
      output.write(`\r  ${done} ${histories} histories, ${speed}/s\x1b[K`)
    } else {
      const seconds = Math.round(elapsedMs / 1000)
      output.write(`${JSON.stringify({ histories, perSecond: speed, seconds, of: durationMs / 1000 })}\n`)
    }
  }
}
