import { parseArgs } from 'node:util'

export type SimulationOptions =
  /** One history, again and again: to see whether it fails once more. */
  | { mode: 'repeat'; seed: number }
  /** Histories from a seed on, or from where an interrupted run has stopped, for so long. */
  | { mode: 'run'; seed: number | null; minutes: number }

const DEFAULT_MINUTES = 1

/** `--minutes N [--seed S]`, or `SEED=S` alone. Throws an Error that names the unreadable argument. */
export function readOptions(args: readonly string[], seedOfEnvironment: string | undefined): SimulationOptions {
  const options = { minutes: { type: 'string' }, seed: { type: 'string' } } as const
  const { values } = parseArgs({ args: [...args], options })
  const seed = values.seed ?? (seedOfEnvironment || undefined)
  if (values.minutes === undefined && seed !== undefined) return { mode: 'repeat', seed: readSeed(seed) }
  const minutes = values.minutes === undefined ? DEFAULT_MINUTES : Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes needs a number above 0, not "${values.minutes}"`)
  return { mode: 'run', seed: seed === undefined ? null : readSeed(seed), minutes }
}

function readSeed(text: string): number {
  const seed = Number(text)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`a seed is a whole number, not "${text}"`)
  return seed
}
