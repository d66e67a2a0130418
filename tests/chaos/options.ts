import { parseArgs } from 'node:util'
import type { Output } from '../../packages/devstack/src/terminal.js'

export type ChaosOptions =
  /** Faults for so long; from where an interrupted run has stopped, when no seed is given. */
  | { mode: 'run'; minutes: number; seed: number | null; only: RegExp | null; json: boolean; record: boolean }
  /** A deliberate fault in a copy of the build, or each of them: the run must find it. */
  | { mode: 'mutants'; name: string; seed: number | null }

export type CommandSurroundings = {
  args: readonly string[]
  seed: string | undefined
  /** The repository, with its build. */
  root: string
  /** Where servers keep their data and an interrupted run its state. */
  folder: string
  output: Output
  signal: AbortSignal
}

const DEFAULT_MINUTES = 5

/**
 * `--minutes N --seed S`, with `--json` for the result as JSON, `--record` to append it to docs/reliability.md, and
 * `--only TEXT` for the faults with this text in their names; or `--mutant NAME`, or `--mutant all`. Throws an Error
 * that names the unreadable argument.
 */
export function readOptions(args: readonly string[], seedOfEnvironment: string | undefined): ChaosOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const options = { minutes: text, seed: text, mutant: text, only: text, json: flag, record: flag }
  const { values } = parseArgs({ args: [...args], options })
  const seedText = values.seed ?? (seedOfEnvironment || undefined)
  const seed = seedText === undefined ? null : readSeed(seedText)
  if (values.mutant !== undefined) return { mode: 'mutants', name: values.mutant, seed }
  const minutes = values.minutes === undefined ? DEFAULT_MINUTES : Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes needs a number above 0, not "${values.minutes}"`)
  const only = values.only === undefined ? null : new RegExp(values.only)
  return { mode: 'run', minutes, seed, only, json: values.json, record: values.record }
}

function readSeed(text: string): number {
  const seed = Number(text)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`a seed is a whole number, not "${text}"`)
  return seed
}
