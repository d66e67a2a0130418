import { fromRoot, read, sources } from './tree.js'

/** Constants that share a reason, with their values as they are exported. */
export type Limit = { values: Readonly<Record<string, unknown>>; reason: string }

const LIMITS = /\/(?:[\w-]+-)?limits\.ts$/

/** The files with the limits of the deployed programs. */
export const policyFiles = (): string[] =>
  sources().filter((path) => LIMITS.test(path) && !path.startsWith('packages/devstack/'))

/** The exported constants of a limits file, in order. @throws when one has no reason. */
export async function limitsOf(path: string): Promise<Limit[]> {
  const exported: Readonly<Record<string, unknown>> = await import(fromRoot(path))
  const limits: Limit[] = []
  // A paragraph: a comment with the constants that follow it at once.
  for (const [, comment, code = ''] of read(path).matchAll(
    /^(\/\*\*(?:[^*]|\*(?!\/))*\*\/\n)?((?:(?!\/\*\*).+\n)+)/gm,
  )) {
    const names = [...code.matchAll(/^export const (\w+)/gm)].map(([, name = '']) => name)
    if (names.length === 0) continue
    if (comment === undefined) throw new Error(`${names} in ${path} has no reason`)
    limits.push({ values: Object.fromEntries(names.map((name) => [name, exported[name]])), reason: prose(comment) })
  }
  const found = limits.flatMap(({ values }) => Object.keys(values))
  const missed = Object.keys(exported).filter((name) => !found.includes(name))
  if (missed.length > 0) throw new Error(`${missed} in ${path} was not read`)
  return limits
}

const prose = (comment: string) =>
  comment
    .replaceAll(/^\s*(?:\/\*)?\*+\/?|\*\/$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim()

const DURATIONS = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const
const SIZES = [
  ['MiB', 1024 * 1024],
  ['KiB', 1024],
] as const

/** A constant's value in the unit that people use; its name ends in the unit that the code uses. */
export function readable(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((each) => readable(name, each)).join(', ')
  if (typeof value !== 'number') return `\`${JSON.stringify(value)}\``
  if (name.endsWith('_MS')) return inUnits(value, DURATIONS, 'ms')
  if (name.endsWith('_S')) return inUnits(value * 1_000, DURATIONS, 'ms')
  if (/_BYTES(?:_|$)/.test(name)) return inUnits(value, SIZES, 'bytes')
  if (value < 1) return `${value * 100} %`
  return value.toLocaleString('en-US')
}

/** In the largest unit of which it is a whole number. */
function inUnits(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const [name, size] = units.find(([, each]) => Number.isInteger(value / each)) ?? [smallest, 1]
  return `${(value / size).toLocaleString('en-US')} ${name}`
}
