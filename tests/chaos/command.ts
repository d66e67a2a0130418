import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { removeServices } from '@clerk-mirror/devstack'
import { readState, removeState, writeState } from '../support/processes/state-file.js'
import { runCampaign } from './campaign.js'
import { leaveDisk } from './faults/disk.js'
import { ALL_FAULTS } from './faults/faults.js'
import { tryMutants } from './mutants/try-mutants.js'
import { type ChaosOptions, type CommandSurroundings, readOptions } from './options.js'
import { reportOf } from './report.js'
import { isState, newState } from './state.js'

const GREATEST_SEED = 2 ** 32
const INTERRUPTED = 130

/** `npm run test:chaos`. Resolves to the exit code: 1 after a violation, 130 when it was interrupted. */
export async function chaosCommand(surroundings: CommandSurroundings): Promise<number> {
  const options = readOptions(surroundings.args, surroundings.seed)
  return options.mode === 'mutants' ? await tryMutants(options, surroundings) : await run(options, surroundings)
}

async function run(options: ChaosOptions & { mode: 'run' }, surroundings: CommandSurroundings): Promise<number> {
  const { root, output, signal } = surroundings
  const only = options.only?.source ?? null
  const folder = join(surroundings.folder, 'run')
  const statePath = join(surroundings.folder, 'run.json')
  const left = readState(statePath, isState)
  const isSame = left?.minutes === options.minutes && left.only === only
  const before = left && isSame && (options.seed ?? left.seed) === left.seed ? left : null
  const seed = before?.seed ?? options.seed ?? randomInt(GREATEST_SEED)
  const state = before ?? newState({ seed, minutes: options.minutes, only })
  const say = (line: string) => void output.write(options.json ? `${JSON.stringify({ line })}\n` : `${line}\n`)
  say(`seed ${seed}, ${options.minutes} minutes`)
  if (before) say(`goes on after ${before.taken.length} rounds of a run that was interrupted`)
  else await clear(folder, say)
  const kinds = ALL_FAULTS.filter(({ name }) => options.only?.test(name) ?? true)
  const keep = () => writeState(statePath, state)
  const { failures, versions } = await runCampaign({ state, folder, root, kinds, keep, say, signal })
  if (signal.aborted && failures.length === 0) {
    say('interrupted; the same command goes on from here')
    return INTERRUPTED
  }
  // A failed run leaves its data and logs for the diagnosis, and the same command begins anew.
  removeState(statePath)
  if (failures.length === 0) await clear(folder, say)
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const report = { state, failures, versions, date, commit: commitOf(root) }
  if (options.record) appendFileSync(join(root, 'docs', 'reliability.md'), `\n${reportOf(report)}`)
  output.write(options.json ? `${JSON.stringify(report)}\n` : `\n${reportOf(report)}\n`)
  const { passed, failed } = state.totals
  output.write(`${passed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

/** Also where servers that run as a user of their own keep their data: another run's would be taken for this one's. */
async function clear(folder: string, say: (line: string) => void): Promise<void> {
  leaveDisk(folder)
  await removeServices(folder, say)
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}

function commitOf(root: string): string {
  try {
    return execFileSync('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
