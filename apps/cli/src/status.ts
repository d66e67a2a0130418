import type { Status } from '@clerk-mirror/operations'
import { type Command, type ExitCode, WrongUsage } from './command.js'
import { withOperations } from './operations.js'
import { table } from './table.js'

export const showStatus: Command = {
  usage: '[--json]',
  summary: 'Show the state of the queue, its workers, and the outcomes of the last hour.',
  examples: ['status', 'status --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name')
    return withOperations<ExitCode>(call, async (operations) => {
      const status = await operations.status()
      call.out(...(call.values['json'] ? [JSON.stringify(status)] : inWords(status)))
      return 0
    })
  },
}

function inWords({
  queue,
  oldestAgeS,
  breaker,
  workers,
  deadLettersByClass,
  blockedByCode,
  outcomesLastHour,
  futureVersions,
  reactions,
  disagreements,
}: Status): string[] {
  const lines = [
    `queue      ${list(queue) || 'empty'}`,
    `oldest     ${oldestAgeS === 0 ? 'nothing waits' : `${oldestAgeS.toFixed(1)} s`}`,
    `breaker    ${breaker ?? 'no worker is alive'}`,
    `dead       ${list(deadLettersByClass) || 'none'}`,
    ...(list(blockedByCode) ? [`blocked    ${list(blockedByCode)}`] : []),
    `last hour  ${outcomesLastHour ? list(outcomesLastHour) || 'nothing was decided' : 'the database was not asked'}`,
  ]
  if (futureVersions) lines.push(`ahead      ${futureVersions} with a version far in the future: versions list`)
  const rows = workers.map(({ host, pid, startedAtMs, breaker: state, held, settings }) => [
    ...[host, String(pid), new Date(startedAtMs).toISOString(), state, String(held), settings?.version ?? '–'],
  ])
  if (rows.length > 0) lines.push('', ...table(['worker', 'pid', 'since', 'breaker', 'in hand', 'release'], rows))
  if (disagreements.length > 0) {
    const differing = disagreements.flatMap(({ setting, values }) =>
      values.map(({ value, processes }) => [setting, value, processes.join(', ') || 'none']),
    )
    lines.push('', ...table(['differs', 'value', 'in'], differing))
  }
  if (reactions.length > 0) {
    const runs = reactions.map(({ reaction, queue: states, oldestAgeS: ageS }) => [
      ...[reaction, list(states) || 'empty', ageS === 0 ? '–' : `${ageS.toFixed(1)} s`],
    ])
    lines.push('', ...table(['reaction', 'runs', 'oldest'], runs))
  }
  return lines
}

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
