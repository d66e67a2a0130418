import type { Check } from './check.js'
import type { RunState } from './state.js'

export type Report = { state: RunState; failures: readonly Check[]; versions: string; commit: string; date: string }

const VIOLATIONS_SHOWN = 10

/** The report of a run, as Markdown. */
export function reportOf({ state, failures, versions, commit, date }: Report): string {
  const { totals, seed, minutes, taken } = state
  const refused = Object.values(totals.refused).reduce((sum, count) => sum + count, 0)
  const injected = Object.values(totals.faults).reduce((sum, { injected: each }) => sum + each, 0)
  const verdict = totals.failed === 0 ? `All ${totals.passed} checks passed.` : `${totals.failed} checks FAILED.`
  const rows: [string, number][] = [
    ['faults injected', injected],
    ['requests sent', totals.sent],
    ['answered 202', totals.accepted],
    ['refused', refused],
    ['not answered', totals.unanswered],
    ['events accepted', totals.events],
    ['events in the ledger', totals.applied],
    ['duplicates: waiting or running', totals.duplicates],
    ['duplicates: already decided', totals.decidedAgain],
    ['dead letters revived, replayed, discarded on purpose', totals.revived + totals.replayed + totals.discarded],
    ['**lost**', totals.lost],
    ['**wrong**', totals.wrong],
    ['**dead letters by fault**', totals.deadLetters],
    ['changes to tell a webhook', totals.changes],
    ['**changes not told**', totals.untold],
    ['**told and never happened**', totals.invented],
    ['told twice, under the same key', totals.toldTwice],
    ['consistent snapshots taken', totals.snapshots],
    ...Object.entries(totals.selfExits).map(([who, count]): [string, number] => [`ended by itself, ${who}`, count]),
  ]
  return [
    `### ${minutes} minutes, seed ${seed}`,
    '',
    `${date}, commit ${commit}, ${versions}; ${taken.length} rounds. ${verdict}`,
    '',
    `\`npm run test:chaos -- --minutes ${minutes} --seed ${seed}\` repeats it.`,
    '',
    ...table(['', 'count'], rows),
    '',
    ...table(
      ['promise', 'promised (ms)', 'longest (ms)', 'times', 'over fourfold'],
      Object.entries(totals.promises)
        .sort()
        .map(([name, { promisedMs, longestMs, times, late }]) => [name, promisedMs, longestMs, times, late]),
    ),
    '',
    ...table(
      ['fault', 'injected', 'longest time to recover (ms)'],
      Object.entries(totals.faults)
        .sort()
        .map(([name, fault]) => [name, fault.injected, fault.longestMs]),
    ),
    ...failures.flatMap(({ name, found }) => ['', `FAILED: ${name}`, ...found.slice(0, VIOLATIONS_SHOWN).map(item)]),
    '',
  ].join('\n')
}

const item = (text: string) => `- ${text}`

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)]
}
