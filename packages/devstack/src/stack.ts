import { existsSync, mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Releasers, SETTINGS } from '@clerk-mirror/runtime'
import { StartFault } from './faults.js'
import { applyMigrations } from './migrations.js'
import { anyProcessPorts, chooseProcessPorts, type ProcessPorts } from './process-ports.js'
import { openServices, type Services } from './services/open-services.js'
import { claimFolder } from './services/owner.js'
import { StackError } from './services/stack-error.js'
import {
  forgetStackSettings,
  keptConsoleToken,
  keptSigningSecret,
  logFile,
  ROOT,
  readStackSettings,
  writeStackSettings,
} from './stack-folder.js'
import { type Environment, type StartPlan, setting } from './start-plan.js'
import { SupervisedProcess } from './supervisor.js'

export interface StackOptions {
  plan: StartPlan
  dataDir: string
  env: Environment
  /** On throw-away data: nothing of the environment's settings is used, ports are any free ones. */
  isThrowAway: boolean
  /** The process that a debugger may attach to. */
  inspected?: ProcessName | undefined
  say: (line: string) => void
  signal: AbortSignal
}

export interface Stack extends AsyncDisposable {
  services: Services
  /** Every setting that the processes run with, by its environment name. */
  settings: Environment
  /** The settings among them that were generated or chosen here. */
  chosen: Readonly<Record<string, string>>
  /**
   * `console` is null when none runs: it needs a token, which is generated only for a stack of our own. On throw-away
   * data neither it nor `profiles` runs.
   */
  urls: { webhooks: string; ingest: string; worker: string; metrics: string } & Record<Shown, string | null>
  processes: Processes
  /** Brings the tables up to date; does nothing where others migrate them. */
  migrate: () => Promise<void>
}

export type Processes = Readonly<Partial<Record<ProcessName, SupervisedProcess>>>

/** The apps with pages for a browser. */
type Shown = 'console' | 'profiles'
export type ProcessName = (typeof PROCESS_NAMES)[number]

export const PROCESS_NAMES = ['ingest', 'worker', 'console', 'profiles'] as const

/** The default port of Node's debuggers, Visual Studio Code among them. */
export const INSPECT_PORT = 9229
const DATABASE_NAME = 'clerk_mirror'
/** Compiling caches, first connections and a cold disk; a process that takes longer will not come. */
const READY_WITHIN_MS = 60_000
/** Services that others run may be away; then the processes wait for them, and the start goes on with a notice. */
const CONFIGURED_READY_WITHIN_MS = 10_000

const SCRIPTS = {
  ingest: join(ROOT, 'apps/ingest/dist/main.js'),
  worker: join(ROOT, 'apps/worker/dist/main.js'),
  console: join(ROOT, 'apps/console/dist/main.js'),
  profiles: join(ROOT, 'apps/profiles/dist/main.js'),
  cli: join(ROOT, 'apps/cli/dist/main.js'),
}

/**
 * Services, tables, console, profiles, worker and ingest. Disposing of it stops ingest, then lets the worker drain,
 * then stops the services that it started. Throws StartFault and StackError, and the signal's reason when it is aborted
 * on the way.
 */
export async function openStack(options: StackOptions): Promise<Stack> {
  const { plan, dataDir, say, signal } = options
  for (const script of Object.values(SCRIPTS)) {
    if (!existsSync(script)) throw new StartFault(`${relative(ROOT, script)} is missing: npm run build makes it`)
  }
  await using owned = new Releasers()
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  owned.use(claimStack(dataDir))
  forgetStackSettings(dataDir) // of a stack that was killed
  owned.defer(() => forgetStackSettings(dataDir))

  // Before anything is started, because a port that is set may be taken.
  const ports = options.isThrowAway ? undefined : await chooseProcessPorts(options.env)
  const { redisUrl, databaseUrl } = plan
  const own = [redisUrl === undefined && 'Redis', databaseUrl === undefined && 'MySQL'].filter(Boolean)
  if (own.length > 0) say(`bringing up a private ${own.join(' and ')} …`)
  const tuning = options.isThrowAway ? 'fast-throwaway' : 'durable'
  const services = owned.use(
    await openServices({ dataDir, redisUrl, databaseUrl, say, tuning, database: DATABASE_NAME }),
  )
  signal.throwIfAborted()

  const chosen = chooseSettings(options, services, ports ?? (await anyProcessPorts()))
  // Away from the repository, for the processes read the .env file of the folder in which they run.
  const cwd = options.isThrowAway ? dataDir : ROOT
  const env = { ...(options.isThrowAway ? withoutSettings(options.env) : options.env), ...chosen }
  const migrate = async () => {
    if (plan.migrates) await applyMigrations({ script: SCRIPTS.cli, cwd, env, logFile: logFile(dataDir, 'migrate') })
  }
  await migrate()
  signal.throwIfAborted()

  // No balancer is in front of them, and the release that follows Ctrl-C should not wait for one.
  const defaults = { SHUTDOWN_DELAY_S: '0' }
  // The worker before ingest: released in reverse, ingest stops taking before the worker drains.
  const start = (name: ProcessName, own: Environment = {}) =>
    owned.use(
      new SupervisedProcess({
        ...{
          name,
          script: SCRIPTS[name],
          inspectPort: options.inspected === name ? INSPECT_PORT : undefined,
          cwd,
          env: { ...defaults, ...env, ...own },
          logFile: logFile(dataDir, name),
          say,
        },
      }),
    )
  const urls = urlsOf(env, { console: runsConsole(options), profiles: !options.isThrowAway })
  const processes = {
    ...(urls.console !== null && { console: start('console') }),
    // METRICS_PORT is one setting for one process; in this environment it is ingest's.
    ...(urls.profiles !== null && { profiles: start('profiles', { METRICS_PORT: '0' }) }),
    ...{ worker: start('worker'), ingest: start('ingest') },
  }
  await comeUp(processes, urls, options)
  writeStackSettings(dataDir, chosen)
  const release = owned.move()
  return {
    services,
    settings: env,
    chosen,
    urls,
    processes,
    migrate,
    [Symbol.asyncDispose]: () => release[Symbol.asyncDispose](),
  }
}

function claimStack(dataDir: string): Disposable {
  try {
    return claimFolder(dataDir)
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    const { INGEST_PORT: port } = readStackSettings(dataDir)
    const where = port === undefined ? 'it is still starting' : `it takes webhooks on port ${port}`
    throw new StartFault(
      `A stack already runs from this folder; ${where}.\n` +
        'Stop it with Ctrl-C in its terminal, or with npm run dev:reset, which also deletes its data.',
    )
  }
}

function chooseSettings(
  { plan, dataDir, env, isThrowAway }: StackOptions,
  services: Services,
  ports: ProcessPorts,
): Record<string, string> {
  const entries = Object.entries(ports).map(([name, port]) => [name, String(port)])
  const instanceId = isThrowAway ? undefined : setting(env, 'CLERK_INSTANCE_ID')
  const ownSecret = plan.isOwnStack && plan.signingSecret === undefined
  return {
    ...Object.fromEntries(entries),
    // The instance id for test traffic: events of others are ignored.
    ...(instanceId !== undefined && { CLERK_INSTANCE_ID: instanceId }),
    ...(plan.redisUrl === undefined && { REDIS_URL: services.redis.url }),
    ...(plan.databaseUrl === undefined && { DATABASE_URL: `${services.database.adminUrl}${DATABASE_NAME}` }),
    ...(ownSecret && { CLERK_WEBHOOK_SIGNING_SECRET: keptSigningSecret(dataDir) }),
    ...(plan.isOwnStack && setting(env, 'CONSOLE_TOKEN') === undefined && { CONSOLE_TOKEN: keptConsoleToken(dataDir) }),
    // The sample reaction: a line in the worker's log for each new user.
    ...(plan.isOwnStack && setting(env, 'REACTIONS') === undefined && { REACTIONS: 'log-new-users' }),
  }
}

/** Throw-away data are gone before they could be viewed. */
const runsConsole = ({ plan, env, isThrowAway }: StackOptions): boolean =>
  !isThrowAway && (plan.isOwnStack || setting(env, 'CONSOLE_TOKEN') !== undefined)

function withoutSettings(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !Object.hasOwn(SETTINGS, name)))
}

function urlsOf(env: Environment, runs: Record<Shown, boolean>): Stack['urls'] {
  const base = (name: string) => baseUrl(env, name)
  return {
    webhooks: `${base('INGEST_PORT')}/webhooks/clerk`,
    ...{ ingest: base('INGEST_PORT'), worker: base('WORKER_PORT'), metrics: base('METRICS_PORT') },
    console: runs.console ? base('CONSOLE_PORT') : null,
    profiles: runs.profiles ? base('PROFILES_PORT') : null,
  }
}

/** The address on this machine of a process that listens on `HOST` and this setting's port. */
export function baseUrl(env: Environment, portSetting: string): string {
  const host = setting(env, 'HOST') ?? SETTINGS.HOST.default
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${setting(env, portSetting)}`
}

async function comeUp(processes: Processes, urls: Stack['urls'], { plan, say, signal }: StackOptions): Promise<void> {
  const withinMs = plan.isOwnStack ? READY_WITHIN_MS : CONFIGURED_READY_WITHIN_MS
  const check = async (name: ProcessName) => {
    const reason = await processes[name]?.comeUp(`${urls[name]}/readyz`, { withinMs, signal })
    if (reason === undefined || signal.aborted) return
    const sentence = `${name} is not ready after ${withinMs / 1000} s (${reason})`
    if (plan.isOwnStack) throw new StartFault(sentence)
    say(`${sentence}; it goes on trying`)
  }
  await Promise.all([check('console'), check('profiles'), check('worker'), check('ingest')])
  signal.throwIfAborted()
}
