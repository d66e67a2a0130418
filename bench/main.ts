import { parseArgs } from 'node:util'
import { Releasers } from '@clerk-mirror/runtime'
import { backlogSection } from './backlog.js'
import { growthSection } from './growth.js'
import { lagSection } from './lag.js'
import { loadNow, machineOf } from './machine.js'
import { millionUsersSection } from './million-users.js'
import { organizationSection } from './organization.js'
import { partitionsSection } from './partitions.js'
import { reactionsSection } from './reactions.js'
import { redisMemorySection } from './redis-memory.js'
import { rendered } from './report.js'
import { writeSection } from './results.js'
import { roadSection } from './road.js'
import type { Run, Section } from './section.js'
import { Stage } from './stage.js'
import { verificationSection } from './verification.js'

/** On a stage of their own each, in this order. */
const SECTIONS: Readonly<Record<string, Section>> = {
  road: roadSection,
  verification: verificationSection,
  lag: lagSection,
  backlog: backlogSection,
  'redis-memory': redisMemorySection,
  growth: growthSection,
  'million-users': millionUsersSection,
  organization: organizationSection,
  partitions: partitionsSection,
  reactions: reactionsSection,
}

/** Benchmarks with a set-up of their own. */
const OTHERS: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  'dead-letters': async (args) => (await import('./dead-letters.js')).bench(args),
  profiles: async () => (await import('./profiles.js')).bench(),
}

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  /** A folder for CPU profiles of ingest and the worker. */
  profiles: { type: 'string' },
  /** Contestants of the road or of the reactions, separated by commas. */
  only: { type: 'string', default: '' },
} as const

/** `npm run bench [-- SECTION …] [--quick] [--json]`. @throws when a run was not valid. */
export async function bench(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true })
  const known = [...Object.keys(SECTIONS), ...Object.keys(OTHERS)]
  const strange = positionals.find((name) => !known.includes(name))
  if (strange !== undefined) throw new Error(`no benchmark is called ${strange}: there are ${known.join(', ')}`)
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const run = { quick: values.quick, profiles: values.profiles, only: values.only.split(',').filter(Boolean), say }
  const reports: object[] = []
  const failed: string[] = []
  for (const name of positionals.length > 0 ? positionals : known) {
    say(`— ${name}`)
    const section = SECTIONS[name]
    try {
      if (section) reports.push(await runSection(name, section, run))
      else await OTHERS[name]?.(values.quick ? ['--letters', '10000'] : [])
    } catch (error) {
      // The others take their time and do not depend on it.
      say(`${name} failed: ${error instanceof Error ? error.stack : error}`)
      failed.push(name)
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  if (failed.length > 0) throw new Error(`no valid run of ${failed.join(', ')}`)
}

async function runSection(name: string, section: Section, run: Run): Promise<object> {
  const loadBefore = loadNow()
  await using owned = new Releasers()
  const stage = await Stage.open(owned, run.profiles)
  const report = await section(stage, owned, run)
  const machine = await machineOf(stage, loadBefore)
  const text = rendered(report, `npm run bench -- ${name}${run.quick ? ' --quick' : ''}`, machine)
  if (run.only.length === 0) writeSection(report.title, text)
  run.say(text)
  return { section: name, ...report, machine }
}
