import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { PROCESS_NAMES, type ProcessName, type Stack } from './stack.js'
import { ROOT } from './stack-folder.js'

/**
 * Times of some hundred files are read in a few milliseconds. File system events would come sooner, but are lost on
 * network drives, in virtual machines, and while folders move.
 */
const LOOK_EVERY_MS = 400
const READY_WITHIN_MS = 60_000
const SCOPE = '@clerk-mirror/'

export type WatchOptions = { say: (line: string) => void; signal: AbortSignal }

/** Builds after each change, and restarts the processes whose program differs then. Ends when the signal is aborted. */
export async function watch(stack: Stack, { say, signal }: WatchOptions): Promise<void> {
  say('Watching apps, packages and prisma: a change is built, and restarts the processes that it concerns.')
  let sources = timesOfSources()
  let built = programs()
  let isChanging = false
  for (;;) {
    await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    const changed = differing(sources, timesOfSources())
    if (changed.length > 0) {
      sources = timesOfSources()
      isChanging = true
      say(`changed: ${changed.slice(0, 3).join(', ')}${changed.length > 3 ? ` and ${changed.length - 3} more` : ''}`)
      continue // until a look finds the files at rest: an editor or a checkout may still be writing
    }
    if (!isChanging) continue
    isChanging = false
    const complaint = await build()
    if (signal.aborted) return
    if (complaint !== null) {
      say(`${complaint}\nnot built: the processes run on as they are`)
      continue
    }
    const before = built
    built = programs()
    await follow(stack, before, built, { say, signal })
  }
}

/** Puts the changes between two builds into the running stack. */
async function follow(stack: Stack, before: Programs, built: Programs, { say, signal }: WatchOptions): Promise<void> {
  if (before.devstack !== built.devstack) say('packages/devstack changed: start npm run dev again to run its new code')
  const names = PROCESS_NAMES.filter((name) => stack.processes[name] && before[name] !== built[name])
  if (before.migrations !== built.migrations) await stack.migrate().catch((error: Error) => say(error.message))
  if (names.length === 0) return say('built: no running process is concerned')
  say(`built; restarting ${names.join(', ')}`)
  await Promise.all(names.map((name) => restart(stack, name, { say, signal })))
}

async function restart(stack: Stack, name: ProcessName, { say, signal }: WatchOptions): Promise<void> {
  const startedAtMs = performance.now()
  await stack.processes[name]?.restart()
  const reason = await stack.processes[name]?.comeUp(`${stack.urls[name]}/readyz`, {
    withinMs: READY_WITHIN_MS,
    signal,
  })
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  if (!signal.aborted) say(reason === undefined ? `${name} is ready again (${seconds} s)` : `${name}: ${reason}`)
}

/** The compiler's complaint; null after a build that succeeded. */
async function build(): Promise<string | null> {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/build.mjs')], {
    ...{ cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return code === 0 ? null : (out + err).trim()
}

type Programs = Readonly<Record<ProcessName | 'devstack' | 'migrations', string>>

/** The content of each process's program: its own output and assets, and those of the packages that it imports. */
function programs(): Programs {
  const app = (name: string) => [...closureOf(`apps/${name}`)].map(contentOf).join()
  return {
    ...{ ingest: app('ingest'), worker: app('worker'), console: app('console'), profiles: app('profiles') },
    devstack: contentOf('packages/devstack'),
    migrations: filesIn('prisma/migrations').join(),
  }
}

function closureOf(folder: string, found = new Set<string>()): Set<string> {
  if (found.has(folder)) return found
  found.add(folder)
  const { dependencies = {} }: { dependencies?: Record<string, string> } = JSON.parse(read(`${folder}/package.json`))
  const ours = Object.keys(dependencies).filter((name) => name.startsWith(SCOPE))
  for (const name of ours) closureOf(`packages/${name.slice(SCOPE.length)}`, found)
  return found
}

function contentOf(folder: string): string {
  const outputs = filesIn(`${folder}/dist`).filter((path) => path.endsWith('.js'))
  const hash = createHash('sha256')
  for (const path of [...outputs, ...filesIn(`${folder}/assets`)]) hash.update(`${path}\0${read(path)}\0`)
  return hash.digest('hex')
}

/** When each file was written that a build or a process reads. */
function timesOfSources(): Map<string, number> {
  const folders = ['apps', 'packages', 'prisma']
  const paths = folders.flatMap(filesIn).filter((path) => !/\/(?:dist|generated|node_modules)\//.test(path))
  return new Map(paths.flatMap((path) => timeOf(path) ?? []))
}

/** Null for a file that went away meanwhile. */
function timeOf(path: string): [[string, number]] | null {
  const stats = statSync(join(ROOT, path), { throwIfNoEntry: false })
  return stats ? [[path, stats.mtimeMs]] : null
}

const differing = (one: Map<string, number>, other: Map<string, number>): string[] =>
  [...new Set([...one.keys(), ...other.keys()])].filter((path) => one.get(path) !== other.get(path))

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(join(ROOT, folder), { withFileTypes: true })
    return entries.flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      return entry.isDirectory() ? filesIn(path) : [path]
    })
  } catch {
    return []
  }
}
