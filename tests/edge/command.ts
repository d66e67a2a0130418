import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { bar, type Output } from '../../packages/devstack/src/terminal.js'
import { runEdgeCampaign, type Tally } from './campaign.js'
import { besiege } from './siege.js'
import { openEdgeSite } from './site.js'
import { disagreements } from './verdicts.js'

export type CommandSurroundings = { args: readonly string[]; output: Output; signal: AbortSignal }

const DEFAULT_REQUESTS = 100_000
/** All kinds of connections together stay below ingest's CONNECTIONS_MAX. */
const SIEGE = { slow: 10_000, pipelining: 1_500, junk: 50, seconds: 30 }
/** Promised for every event, at any load of the siege. */
const HONEST_WITHIN_MS = 1000
/** Before it, a young process still grows: code is compiled, buffers are made. */
const WARM_UP_REQUESTS = 3000
const GREATEST_SEED = 2 ** 40
const LINE_AFTER_MS = 5_000
const INTERRUPTED = 130
const MEBIBYTE = 1024 * 1024
/** The allowed growth after a hundred thousand requests: a full table of addresses is 2 MB, and V8 keeps free pages. */
const GROWTH_MAX_MIB = 48

/**
 * `npm run test:edge -- [--requests N] [--seed S]`: mutants of signed requests against the built process.
 * `npm run test:edge -- --siege [--slow N] [--pipelining N] [--junk N] [--seconds S]`: so many connections at once that
 * are slow, that send requests ahead of their answers, and that send junk; and honest events meanwhile.
 * Resolves to the exit code: 1 after a violation, 130 when it was interrupted.
 */
export async function edgeCommand({ args, output, signal }: CommandSurroundings): Promise<number> {
  const text = { type: 'string' } as const
  const ofSieges = { siege: { type: 'boolean' }, slow: text, pipelining: text, junk: text, seconds: text } as const
  const { values } = parseArgs({ args: [...args], options: { requests: text, seed: text, ...ofSieges } })
  // An option of sieges without `--siege` means one: the mutants would run for minutes and say nothing of it.
  if (Object.keys(ofSieges).some((name) => name in values)) return await siege(values, output)
  const requests = wholeNumber('--requests', values.requests ?? String(DEFAULT_REQUESTS))
  const seed = wholeNumber('--seed', values.seed ?? String(randomInt(GREATEST_SEED)))
  output.write(`seed ${seed}, ${requests} mutants\n`)
  return await fuzz(requests, seed, output, signal)
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} needs a whole number, not "${text}"`)
  return value
}

const line = (output: Output, fields: object) => output.write(`${JSON.stringify(fields)}\n`)

async function fuzz(requests: number, seed: number, output: Output, signal: AbortSignal): Promise<number> {
  const differing = disagreements(seed, requests)
  line(output, { verdicts: requests, disagreements: differing.length })
  for (const each of differing.slice(0, 5)) line(output, each)
  await using site = await openEdgeSite({ TRUST_PROXY: 'loopback' })
  await runEdgeCampaign(site, { requests: Math.min(requests, WARM_UP_REQUESTS), seed: seed + 1, signal })
  const before = await site.restingBytes()
  const startedMs = performance.now()
  const progress = progressOn(output, requests, startedMs)
  const { violations, ...rest } = await runEdgeCampaign(site, { requests, seed, signal, progress })
  if (output.isTTY === true) output.write('\n')
  const after = await site.restingBytes()
  const grownMiB = Number(((after.rss - before.rss) / MEBIBYTE).toFixed(1))
  if (grownMiB > GROWTH_MAX_MIB) violations.push(`the process has grown by ${grownMiB} MiB`)
  const failed = site.ingest.logged('ingest.failed').length
  if (failed > 0) violations.push(`it has logged ${failed} failures of its own`)
  line(output, { ...rest, seconds: Math.round((performance.now() - startedMs) / 1000), before, after, grownMiB })
  for (const violation of violations) output.write(`violation: ${violation}\n`)
  if (signal.aborted) return INTERRUPTED
  return violations.length + differing.length > 0 ? 1 : 0
}

/** A bar on a terminal; else a line of JSON now and then. */
function progressOn(output: Output, of: number, startedMs: number): (sent: number, tally: Tally) => void {
  let shownAtMs = startedMs
  return (sent, tally) => {
    const nowMs = performance.now()
    const perSecond = Math.round(sent / ((nowMs - startedMs) / 1000))
    if (output.isTTY === true) return void output.write(`\r  ${bar(sent, of)} ${sent} mutants, ${perSecond}/s\x1b[K`)
    if (nowMs - shownAtMs < LINE_AFTER_MS) return
    shownAtMs = nowMs
    line(output, { sent, of, perSecond, accepted: tally['accepted'] ?? 0 })
  }
}

type SiegeValues = Partial<Record<'slow' | 'pipelining' | 'junk' | 'seconds', string>>

async function siege(values: SiegeValues, output: Output): Promise<number> {
  const count = (name: keyof SiegeValues) => wholeNumber(`--${name}`, values[name] ?? String(SIEGE[name]))
  await using site = await openEdgeSite()
  const crowd = { slow: count('slow'), pipelining: count('pipelining'), junk: count('junk') }
  const bounds = { durationMs: count('seconds') * 1000, honestWithinMs: HONEST_WITHIN_MS }
  const { violations, ...report } = await besiege(site, { ...crowd, ...bounds })
  line(output, report)
  for (const violation of violations) output.write(`violation: ${violation}\n`)
  return violations.length > 0 ? 1 : 0
}
