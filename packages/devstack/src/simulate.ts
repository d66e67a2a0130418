import { join } from 'node:path'
import { environment, SETTINGS } from '@clerk-mirror/runtime'
import { reportFault, StartFault } from './faults.js'
import { interruption } from './interruption.js'
import { type ProgressView, progressBars, progressLines } from './progress.js'
import { isRight, resultJson, verdictLines } from './report.js'
import { firstSecret, instanceOf } from './samples.js'
import { parseSimulateOptions, SIMULATE_HELP, type SimulateOptions } from './simulate-options.js'
import { baseUrl } from './stack.js'
import { DATA_DIR, ROOT, readStackSettings } from './stack-folder.js'
import { type Environment, setting } from './start-plan.js'
import { openTables } from './tables.js'
import { history } from './traffic.js'
import { type RunResult, runTraffic } from './traffic-run.js'

const { stdout } = process

async function main(args: string[], env: Environment): Promise<number> {
  const options = parseSimulateOptions(args)
  if (options === 'help') {
    stdout.write(SIMULATE_HELP)
    return 0
  }
  using interrupted = interruption(env['npm_lifecycle_event'])
  const { signal } = interrupted
  const target = await findTarget(options, env)
  await using tables = await openTables(setting(target.settings, 'DATABASE_URL') ?? '')

  const traffic = history({ ...options.history, ...instanceOf(target.settings) })
  const { deliveries, events } = traffic
  const { users, seed } = options.history
  announce({ seed, users, events, deliveries: deliveries.length, url: target.url })
  const view = progressView()
  const { concurrency, rate } = options
  const result = await runTraffic(traffic, {
    url: `${target.url}/webhooks/clerk`,
    signingSecret: firstSecret(target.settings),
    ...{ tables, concurrency, signal },
    ...(rate !== undefined && { rate }),
    compare: 'own users',
    onProgress: (progress) => view.show(progress),
  })
  view.end()
  printResult(result)
  if (result.stopped) return 130
  return isRight(result) ? 0 : 1
}

interface Target {
  /** Of ingest, without a path. */
  url: string
  settings: Environment
}

/** The environment takes precedence over the running stack's own settings. */
async function findTarget({ url }: SimulateOptions, env: Environment): Promise<Target> {
  // A port of 0 is any free one: which one, only the stack knows.
  const set = Object.entries(env).filter(([name, value]) => setting(env, name) !== undefined && value !== '0')
  const settings = { ...readStackSettings(DATA_DIR), ...Object.fromEntries(set) }
  const missing = ['CLERK_WEBHOOK_SIGNING_SECRET', 'DATABASE_URL'].filter(
    (name) => setting(settings, name) === undefined,
  )
  if (missing.length > 0) {
    throw new StartFault(`no stack runs from this folder, and ${missing.join(' and ')} not set: run npm start first`)
  }
  const portSetting = ['INGEST_PORT', 'PORT'].find((name) => setting(settings, name) !== undefined)
  const withPort = portSetting === undefined ? { ...settings, INGEST_PORT: SETTINGS.INGEST_PORT.default } : settings
  const base = url?.replace(/(\/webhooks\/clerk)?\/*$/, '') ?? baseUrl(withPort, portSetting ?? 'INGEST_PORT')
  await fetch(`${base}/livez`).catch(() => {
    throw new StartFault(`nothing answers at ${base}: is the stack running? npm start runs one`)
  })
  return { url: base, settings }
}

interface Announcement {
  seed: number
  users: number
  events: number
  deliveries: number
  url: string
}

function announce(run: Announcement): void {
  const { seed, users, events, deliveries, url } = run
  if (stdout.isTTY) {
    stdout.write(`Sending ${events} events of ${users} people in ${deliveries} deliveries to ${url} (--seed ${seed})\n`)
  } else printJson({ event: 'started', ...run })
}

function progressView(): ProgressView {
  if (stdout.isTTY) return progressBars(stdout)
  return progressLines((progress) => printJson({ event: 'progress', ...progress }))
}

function printResult(result: RunResult): void {
  if (stdout.isTTY) for (const line of verdictLines(result, stdout)) stdout.write(`${line}\n`)
  else printJson(resultJson(result))
}

const printJson = (value: object) => void stdout.write(`${JSON.stringify(value)}\n`)

process.exitCode = await main(process.argv.slice(2), environment([join(ROOT, '.env')])).catch(reportFault)
