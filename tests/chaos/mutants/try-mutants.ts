import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runCampaign } from '../campaign.js'
import { ALL_FAULTS } from '../faults/faults.js'
import type { CommandSurroundings } from '../options.js'
import { newState } from '../state.js'
import { MUTANTS, type Mutant } from './mutants.js'
import { buildWith } from './mutated-build.js'

const MINUTES = 0.9
const SEED = 7
/** With a fault in the build it may never become quiet. */
const QUIET_WITHIN_MS = 60_000

/** Runs each deliberate fault, and passes only where the run fails by the check that was to find it. */
export async function tryMutants(
  { name, seed }: { name: string; seed: number | null },
  surroundings: CommandSurroundings,
): Promise<number> {
  const chosen = MUTANTS.filter((mutant) => name === 'all' || mutant.name === name)
  if (chosen.length === 0)
    throw new Error(`no mutant is called ${name}: ${MUTANTS.map((each) => each.name).join(', ')}`)
  const { output, signal } = surroundings
  let found = 0
  for (const mutant of chosen) {
    if (signal.aborted) break
    const caught = await findMutant(mutant, seed ?? SEED, surroundings)
    if (caught !== null) found += 1
    output.write(`${mutant.name}: ${caught === null ? 'NOT FOUND' : `found by "${caught}"`}\n`)
  }
  output.write(`${found} passed, ${chosen.length - found} failed\n`)
  return found === chosen.length ? 0 : 1
}

/** The name of the check that found it; null when none that was meant to did. */
async function findMutant(mutant: Mutant, seed: number, surroundings: CommandSurroundings): Promise<string | null> {
  const { root, output, signal } = surroundings
  const folder = join(surroundings.folder, 'mutant')
  const build = join(folder, 'build')
  mkdirSync(folder, { recursive: true })
  try {
    buildWith(mutant, root, build)
    const { failures } = await runCampaign({
      ...{ folder: join(folder, 'run'), root: build, signal, quietWithinMs: QUIET_WITHIN_MS },
      state: newState({ seed, minutes: MINUTES, only: null }),
      kinds: ALL_FAULTS.filter((fault) => mutant.only.test(fault.name)),
      ...(mutant.cursedShare !== undefined && { cursedShare: mutant.cursedShare }),
      keep: () => {},
      say: (line) => void output.write(`  ${line}\n`),
    })
    for (const { name, found } of failures) output.write(`  failed: ${name}: ${found.length}, such as ${found[0]}\n`)
    return failures.find((failure) => mutant.caughtBy.test(failure.name))?.name ?? null
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}
