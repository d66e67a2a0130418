import { type Machine, machineLine } from './machine.js'
import { type Ratio, thousands } from './statistics.js'

/** A row of the results. `met` is null where there is no target. */
export type Row = {
  what: string
  subject: string
  reference: string
  ratio: Ratio | null
  target: string
  met: boolean | null
}

/** The results of one section; `cpu` lists CPU µs per event of each process, by contestant. */
export type Report = {
  title: string
  about: string
  rows: readonly Row[]
  cpu?: Readonly<Record<string, Readonly<Record<string, number>>>>
  notes?: readonly string[]
}

export const perS = (value: number): string => `${thousands(value)}/s`

/** A row with a bound of its ratio as the target. */
export function ratioRow(
  what: string,
  of: [string, string],
  value: Ratio,
  target: { least?: number; most?: number },
): Row {
  const [subject, reference] = of
  const { least, most } = target
  const met = least !== undefined ? value.median >= least : most !== undefined ? value.median <= most : null
  const bound = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : '–'
  return { what, subject, reference, ratio: value, target: bound, met }
}

const VERDICTS = new Map([
  [true, 'yes'],
  [false, '**no**'],
  [null, '–'],
])

const digits = (value: number) => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1))

/** The section as Markdown. */
export function rendered({ about, rows, cpu, notes = [] }: Report, command: string, machine: Machine): string {
  const table = rows.map(({ what, subject, reference, ratio, target, met }) => {
    const value = ratio ? digits(ratio.median) : '–'
    const spread = ratio ? `${digits(ratio.least)}–${digits(ratio.greatest)}` : '–'
    return `| ${what} | ${subject} | ${reference} | ${value} | ${spread} | ${target} | ${VERDICTS.get(met)} |`
  })
  const head =
    '| measurement | subject | reference | ratio | of all rounds | target | met |\n|---|---|---|---|---|---|---|'
  const parts = [`\`${command}\`: ${about}`, [head, ...table].join('\n'), ...notes]
  if (cpu) parts.push(cpuTable(cpu))
  return [...parts, machineLine(machine)].join('\n\n')
}

function cpuTable(cpu: NonNullable<Report['cpu']>): string {
  const names = [...new Set(Object.values(cpu).flatMap((times) => Object.keys(times)))]
  const rows = Object.entries(cpu).map(([who, times]) => {
    const cells = names.map((name) => (times[name] === undefined ? '' : times[name].toFixed(0)))
    const sum = Object.values(times).reduce((total, us) => total + us, 0)
    return `| ${who} | ${cells.join(' | ')} | ${sum.toFixed(0)} |`
  })
  const head = `| CPU µs per event | ${names.join(' | ')} | all |\n|---|${'---|'.repeat(names.length + 1)}`
  return [head, ...rows].join('\n')
}
