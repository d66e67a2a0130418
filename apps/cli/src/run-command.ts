import { parseArgs } from 'node:util'
import { ClerkApiError } from '@clerk-mirror/clerk-api'
import { OperationsError } from '@clerk-mirror/operations'
import { ConfigFaults, type Environment, printable } from '@clerk-mirror/runtime'
import { listAudit } from './audit.js'
import { type Call, type Command, type ExitCode, type Values, WrongUsage } from './command.js'
import { discardDeadLetters, replayDeadLetters, retryEventsNow } from './dead-letter-verbs.js'
import { exportDeadLetters, listDeadLetters, showDeadLetter } from './dead-letters.js'
import { eraseUser } from './erase.js'
import { restampInstallation, showInstallation } from './installation.js'
import { migrateDatabase, showMigrations } from './migrate.js'
import { listPartitions, retirePartition } from './partitions.js'
import { probeUsers } from './probe.js'
import { askReaction, forgetReaction, listReactions, removeReaction } from './reactions.js'
import { rebuildTables } from './rebuild.js'
import { showStatus } from './status.js'
import { showTrace } from './trace.js'
import { listVersions, releaseVersions } from './versions.js'

/** Every command, by the words that call it. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  'dead-letters list': listDeadLetters,
  'dead-letters show': showDeadLetter,
  'dead-letters replay': replayDeadLetters,
  'dead-letters discard': discardDeadLetters,
  'dead-letters retry-now': retryEventsNow,
  'dead-letters export': exportDeadLetters,
  trace: showTrace,
  status: showStatus,
  'reactions list': listReactions,
  'reactions ask': askReaction,
  'reactions remove': removeReaction,
  'reactions forget': forgetReaction,
  'versions list': listVersions,
  'versions release': releaseVersions,
  'audit list': listAudit,
  'partitions list': listPartitions,
  'partitions retire': retirePartition,
  'installation show': showInstallation,
  'installation restamp': restampInstallation,
  erase: eraseUser,
  'migrate status': showMigrations,
  migrate: migrateDatabase,
  rebuild: rebuildTables,
  probe: probeUsers,
}

const PROGRAM = 'clerk-mirror'

/** Runs the command that the words name; never throws. */
export async function runCommand(words: readonly string[], env: Environment): Promise<ExitCode> {
  const linesTo =
    (stream: NodeJS.WriteStream) =>
    (...lines: string[]) =>
      void stream.write(lines.map((line) => `${printable(line)}\n`).join(''))
  const [out, note] = [linesTo(process.stdout), linesTo(process.stderr)]
  const name = Object.keys(COMMANDS).find((key) => key === words.slice(0, key.split(' ').length).join(' '))
  const command = COMMANDS[name ?? '']
  if (!name || !command) {
    const asked = words.length === 0 || words.includes('--help') || words.includes('-h')
    ;(asked ? out : note)(...overview(asked ? [] : words.filter((word) => !word.startsWith('-'))))
    return asked && words.length > 0 ? 0 : 2
  }
  try {
    const { values, positionals } = parseOptions(command, words.slice(name.split(' ').length))
    if (values['help']) {
      out(...help(name, command))
      return 0
    }
    return await command.run({ env, values, positionals, out, note })
  } catch (error) {
    return fail(error, name, note)
  }
}

/** @throws WrongUsage */
export function parseOptions(command: Command, args: readonly string[]): { values: Values; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([key, { type, multiple = false }]) => [key, { type, multiple }]),
  )
  const everybody = { help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...args], options: { ...options, ...everybody }, allowPositionals: true })
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message : String(error))
  }
}

function fail(error: unknown, name: string, note: Call['note']): ExitCode {
  const message = error instanceof Error ? error.message : String(error)
  const text = `${PROGRAM}: ${message}${hasCode(error) ? ` [${error.code}]` : ''}`
  note(...(error instanceof ConfigFaults ? text.split('\n') : [text]))
  if (!(error instanceof WrongUsage || error instanceof ConfigFaults)) return 1
  if (error instanceof WrongUsage) note(`Try: ${PROGRAM} ${name} --help`)
  return 2
}

const hasCode = (error: unknown): error is OperationsError | ClerkApiError =>
  error instanceof OperationsError || error instanceof ClerkApiError

export function overview(words: readonly string[]): string[] {
  const unknown = words.length > 0 ? [`There is no command "${words.join(' ')}".`, ''] : []
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  const codes = 'Every command takes --help and --json. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drift found.'
  return [...unknown, `Usage: ${PROGRAM} COMMAND [OPTIONS]`, '', ...lines, '', codes]
}

export function help(name: string, command: Command): string[] {
  const options = Object.entries(command.options).map(([key, { type, doc }]) => [
    type === 'string' ? `--${key} VALUE` : `--${key}`,
    doc,
  ])
  const rows = [...options, ['--json', 'print JSON for programs'], ['--help', 'print this']]
  const width = Math.max(...rows.map(([flag = '']) => flag.length))
  const lines = rows.map(([flag = '', doc]) => `  ${flag.padEnd(width)}  ${doc}`)
  const examples = command.examples.map((example) => `  ${PROGRAM} ${example}`)
  const head = [`Usage: ${PROGRAM} ${name} ${command.usage}`, '', command.summary]
  return [...head, '', 'Options:', ...lines, '', 'Examples:', ...examples]
}
