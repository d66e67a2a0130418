import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { environment } from '@clerk-mirror/runtime'
import { reportFault, UsageFault } from './faults.js'
import { interruption } from './interruption.js'
import { progressBars, progressLines, progressText } from './progress.js'
import { isRight, verdictLines } from './report.js'
import { sendSamples } from './samples.js'
import { INSPECT_PORT, openStack, PROCESS_NAMES, type ProcessName, type Stack, type StackOptions } from './stack.js'
import { DATA_DIR, ROOT } from './stack-folder.js'
import { type Environment, planStart, type StartFlags } from './start-plan.js'
import { connectHints, stackSummary, tryNext } from './start-texts.js'
import { styled } from './terminal.js'
import { watch } from './watch.js'

const HELP = `npm start [-- OPTIONS]

Brings up what REDIS_URL and DATABASE_URL do not name, applies the migrations, runs ingest and worker, and stays up
until Ctrl-C. Data lives in ./.data and survives; npm run dev:reset removes it.

  --sample   send sample traffic although the tables are not empty
  --once     on throw-away data: start, send samples, hold the tables against an independent calculation, stop;
             exits with 0 only if they agree. REDIS_URL and DATABASE_URL are left alone.
  --watch    rebuild after each change of the code and restart the processes that it concerns: npm run dev
  --inspect NAME
             let a debugger attach to ingest, worker, console or profiles, on 127.0.0.1:${INSPECT_PORT}
  --help     this text
`

const { stdout } = process
const say = (line: string) => void stdout.write(`${line}\n`)

/** Runs until the program is told to stop; returns the exit code. */
async function main(args: string[], env: Environment): Promise<number> {
  const flags = readFlags(args)
  if (flags === 'help') {
    stdout.write(HELP)
    return 0
  }
  const plan = planStart(env, flags)
  using interrupted = interruption(env['npm_lifecycle_event'])
  const { signal } = interrupted
  using folder = flags.once ? throwAwayFolder() : keptFolder()
  try {
    const { watch: isWatching, inspected } = flags
    const options = { plan, dataDir: folder.path, env, isThrowAway: flags.once, inspected, say, signal }
    const exitCode = await upAndDown(options, isWatching)
    say(flags.once ? 'stopped, and everything removed' : 'stopped; the data in ./.data stays')
    return exitCode
  } catch (error) {
    if (signal.aborted) return 130
    throw error
  }
}

async function upAndDown(options: StackOptions, isWatching: boolean): Promise<number> {
  const { signal } = options
  const sayLater = () => say('\nstopping once the work in flight is done; Ctrl-C again leaves at once …')
  signal.addEventListener('abort', sayLater, { once: true })
  await using stack = await openStack(options)
  signal.removeEventListener('abort', sayLater)
  const exitCode = await runStack(stack, options, isWatching)
  say('\nstopping: ingest, then the worker, then their services …')
  return exitCode
}

async function runStack(stack: Stack, options: StackOptions, isWatching: boolean): Promise<number> {
  const { plan, isThrowAway, inspected, signal } = options
  for (const line of stackSummary(stack, plan)) say(line)
  const progress = stdout.isTTY ? progressBars(stdout) : progressLines((step) => say(progressText(step)))
  const result = await sendSamples(stack, { plan, isThrowAway, signal, progress, say })
  if (result !== undefined) for (const line of verdictLines(result, stdout)) say(line)
  if (signal.aborted) return 130
  if (isThrowAway) return result !== undefined && isRight(result) ? 0 : 1
  for (const line of [...tryNext(stack, plan), ...connectHints(stack, plan)]) say(line)
  say(`\n${styled(stdout, 'bold', 'Up and running. Ctrl-C stops it all.')}`)
  if (inspected) say(`A debugger can attach to the ${inspected} process on 127.0.0.1:${INSPECT_PORT}.`)
  await (isWatching ? watch(stack, { say, signal }) : aborted(signal))
  return 0
}

type Flags = StartFlags & { watch: boolean; inspected: ProcessName | undefined }

function readFlags(args: string[]): Flags | 'help' {
  const flag = { type: 'boolean', default: false } as const
  const options = { once: flag, sample: flag, watch: flag, inspect: { type: 'string' }, help: flag } as const
  try {
    const { once, sample, watch, inspect, help } = parseArgs({ args, options }).values
    if (help) return 'help'
    if (once && watch) throw new Error('--once ends by itself and cannot be combined with --watch')
    const inspected = PROCESS_NAMES.find((name) => name === inspect)
    if (inspect !== inspected) throw new Error(`--inspect takes one of ${PROCESS_NAMES.join(', ')}`)
    return { once, sample, watch, inspected }
  } catch (error) {
    throw new UsageFault(`${error instanceof Error ? error.message : error}\n\n${HELP.trimEnd()}`)
  }
}

interface Folder extends Disposable {
  path: string
}

const keptFolder = (): Folder => ({ path: DATA_DIR, [Symbol.dispose]() {} })

function throwAwayFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'clerk-mirror-once-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** A listener alone does not keep the process alive while it waits; the timer does. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const alive = setInterval(() => undefined, 2 ** 30)
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  clearInterval(alive)
}

process.exitCode = await main(process.argv.slice(2), environment([join(ROOT, '.env')])).catch(reportFault)
