import type { Difference } from './differences.js'
import type { Row } from './model.js'
import type { SendReport } from './sender.js'
import { columnsOf, fitted, type Output, styled } from './terminal.js'
import type { RunResult } from './traffic-run.js'

// Two screens of 80 columns hold the table, and a list that is cut still shows the kind of the fault.
const WIDEST_CELL = 34
const SHOWN_DIFFERENCES = 20
const SHOWN_MISSING = 10

const HEADINGS = { username: 'username', display_name: 'display_name', email: 'email', updated_at: 'updated_at' }

/** The table `users` as lines of text, in as many columns as its widest cells need. */
export function usersTable(rows: readonly Row[], total: number): string[] {
  if (total === 0) return ['  users is empty']
  const keys = Object.keys(HEADINGS)
  const cells = [HEADINGS, ...rows].map((row: Row) => keys.map((key) => cell(key, row[key] ?? null)))
  const widths = keys.map((_, at) => Math.min(WIDEST_CELL, Math.max(...cells.map((line) => columnsOf(line[at] ?? '')))))
  const lines = cells.map((line) => `  ${line.map((text, at) => fitted(text, widths[at] ?? 0)).join('  ')}`.trimEnd())
  lines.splice(1, 0, `  ${widths.map((columns) => '─'.repeat(columns)).join('  ')}`)
  if (total > rows.length) lines.push(`  … and ${counted(total - rows.length, 'more row')}`)
  return lines
}

function cell(key: string, value: Row[string]): string {
  if (value === null || value === undefined) return '–'
  return key.endsWith('_at') && typeof value === 'number' ? new Date(value).toISOString().slice(0, 19) : String(value)
}

/** The outcomes of the events, for people: the last line is the verdict, green or red. */
export function verdictLines(result: RunResult, output: Output): string[] {
  const lines = resultLines(result)
  const verdict = lines.pop() ?? ''
  return [...lines, styled(output, isRight(result) ? 'green' : 'red', verdict)].map((line) => `  ${line}`)
}

function resultLines(result: RunResult): string[] {
  const { sent, deliveries, events, tookMs, missing } = result
  const [refusal] = sent.refused
  if (refusal !== undefined) return refusalLines(refusal)
  const lines = [acceptedLine(sent)]
  if (sent.retries > 0) lines.push(`${counted(sent.retries, 'try', 'tries')} not accepted and made again`)
  if (result.stopped) return [...lines, `stopped: ${sent.accepted} of ${deliveries} sent, and nothing compared`]
  const decided = events - missing.length
  lines.push(`${counted(decided, 'event')} in the ledger after ${seconds(tookMs)} (${perSecond(decided, tookMs)})`)
  lines.push(`outcomes: ${outcomeText(result)}`)
  if (missing.length > 0) lines.push(...missingLines(missing))
  return [...lines, ...differenceLines(result.differences)]
}

const SETTING_BEHIND: Record<string, string> = {
  '401': 'CLERK_WEBHOOK_SIGNING_SECRET',
  '202 ignored': 'CLERK_INSTANCE_ID',
}

function refusalLines({ delivery, answer }: SendReport['refused'][number]): string[] {
  const setting = SETTING_BEHIND[answer.replace(/^401.*/, '401')]
  const advice = setting === undefined ? [] : [`is ${setting} here the one that this ingest runs with?`]
  return [...advice, `stopped: ${delivery.type} ${delivery.eventId} was answered ${answer}`]
}

function acceptedLine({ accepted, tookMs, latenciesMs }: SendReport): string {
  const [half, most] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)]
  const within = `half of them within ${half} ms, 99 % within ${most} ms`
  return `${counted(accepted, 'delivery', 'deliveries')} accepted in ${seconds(tookMs)} (${perSecond(accepted, tookMs)}), ${within}`
}

function outcomeText({ outcomes, deliveries, events }: RunResult): string {
  const counts = [...outcomes].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${outcome} ${count}`)
  return [...counts, `delivered again ${deliveries - events}`].join(' · ')
}

function missingLines(missing: readonly string[]): string[] {
  const shown = missing.slice(0, SHOWN_MISSING).join(', ')
  const more = missing.length > SHOWN_MISSING ? ', …' : ''
  return [
    `${counted(missing.length, 'event')} accepted but not in the ledger: ${shown}${more}`,
    'they wait in Redis, or became dead letters: npm run -s ops -- dead-letters list',
  ]
}

function differenceLines(differences: readonly Difference[]): string[] {
  const verdict = `${counted(differences.length, 'difference')} between the tables and an independent calculation`
  const list = differences.slice(0, SHOWN_DIFFERENCES).map(differenceText)
  const more = differences.length > SHOWN_DIFFERENCES ? ['  …'] : []
  return [...list, ...more, verdict]
}

const differenceText = ({ clerkId, column, expected, found }: Difference) =>
  `  ${clerkId} ${column}: expected ${shortened(expected)}, found ${shortened(found)}`

const shortened = (text: string) => fitted(text, Math.min(columnsOf(text), 80))

/** The same for programs. */
export function resultJson(result: RunResult): object {
  const { sent, deliveries, events, tookMs, outcomes, missing, differences, stopped } = result
  return {
    event: 'result',
    ...{ deliveries, events, accepted: sent.accepted, retries: sent.retries, stopped },
    refused: sent.refused.map(({ delivery, answer }) => ({ eventId: delivery.eventId, answer })),
    ...{ sendMs: Math.round(sent.tookMs), tookMs: Math.round(tookMs) },
    eventsPerSecond: Math.round((events - missing.length) / (tookMs / 1000)),
    acceptMs: { p50: percentile(sent.latenciesMs, 0.5), p99: percentile(sent.latenciesMs, 0.99) },
    outcomes: Object.fromEntries(outcomes),
    ...{ missing, differences },
  }
}

export const isRight = ({ stopped, sent, missing, differences }: RunResult) =>
  !stopped && sent.refused.length + missing.length + differences.length === 0

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const perSecond = (count: number, ms: number) => `${Math.round(count / (ms / 1000))} a second`

function percentile(ascending: readonly number[], share: number): number {
  return Math.round(ascending[Math.ceil(ascending.length * share) - 1] ?? 0)
}
