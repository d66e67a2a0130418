import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const START_MS = 30_000
const LOOK_MS = 20

export type ProgramOptions = {
  env: Readonly<Record<string, string>>
  /** Its standard output goes there, as a container's does. */
  logPath: string
  /** A folder of the benchmark's own, without a `.env`. */
  cwd: string
  /** Where Node writes a CPU profile when it ends; none without it. */
  profiles?: string | undefined
}

type LogLine = { event: string; [field: string]: unknown }

/** Ingest or a worker as it is run in production: the built program, configured by its environment alone. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #logPath: string

  constructor(app: 'ingest' | 'worker', { env, logPath, cwd, profiles }: ProgramOptions) {
    const script = join(import.meta.dirname, `../apps/${app}/dist/main.js`)
    const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
    const log = openSync(logPath, 'a')
    this.#logPath = logPath
    this.#child = spawn(process.execPath, ['--enable-source-maps', ...profiling, script], {
      cwd,
      env,
      stdio: ['ignore', log, 'inherit'],
    })
    closeSync(log)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get lines(): LogLine[] {
    const whole = readFileSync(this.#logPath, 'utf8').split('\n').slice(0, -1)
    return whole.map((line) => JSON.parse(line))
  }

  /** The first line with this event, as soon as there is one. */
  async says(event: string): Promise<LogLine> {
    const deadline = performance.now() + START_MS
    for (;;) {
      const line = this.lines.find((each) => each.event === event)
      if (line) return line
      if (this.#child.exitCode !== null || performance.now() > deadline) throw new Error(`no word of ${event}`)
      await pause(LOOK_MS)
    }
  }

  /** Freezes it: requests wait until it is thawed. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.thaw()
    this.#child.kill('SIGTERM')
    await gone
  }
}
