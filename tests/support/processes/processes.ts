import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '../until.js'

export type Environment = Readonly<Record<string, string>>
export type Exit = { code: number | null; signal: NodeJS.Signals | null }
export type LogLine = { event: string; level: string; [field: string]: unknown }
export type Options = { env: Environment; cwd?: string; args?: readonly string[] }

/** Without a `.env`: a developer's own, at the root of the repository, must not reach the tests. */
const EMPTY_FOLDER = fileURLToPath(new URL('.', import.meta.url))

/** Long enough for a start on a busy machine, and for a shutdown that uses the whole of its deadline. */
const PATIENCE_MS = 120_000

/** Loaded before the program: the runner may be killed in a way that no test can answer, and nothing may survive it. */
export const DIE_WITH_TEST = `data:text/javascript,${encodeURIComponent(`
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
`)}`

export type App = 'ingest' | 'worker' | 'console' | 'profiles' | 'cli'

/** A compiled program as a process of its own. Its environment comes from the test alone. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly exited: Promise<Exit>
  stdout = ''
  stderr = ''

  constructor(app: App, { env, cwd = EMPTY_FOLDER, args = [] }: Options) {
    const script = fileURLToPath(new URL(`../../../apps/${app}/dist/main.js`, import.meta.url))
    this.#child = spawn(process.execPath, ['--enable-source-maps', '--import', DIE_WITH_TEST, script, ...args], {
      cwd,
      // No balancer is in front of it, unless the test says so.
      env: { SHUTDOWN_DELAY_S: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // `close` and not `exit`: only then everything that it printed has been read.
    this.exited = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }))
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Its log so far, without an unfinished last line. */
  get lines(): LogLine[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  logged(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event)
  }

  /** Waits until it has logged this event, and returns the first such line. Throws when it exits instead. */
  async says(event: string): Promise<LogLine> {
    await until(() => this.logged(event).length > 0 || !this.isRunning, PATIENCE_MS)
    const [line] = this.logged(event)
    if (!line) throw new Error(`exited without a word of ${event}:\n${this.stdout}${this.stderr}`)
    return line
  }

  /** Its standard output stays unread, as when a log collector hangs. */
  stallReader(): void {
    this.#child.stdout?.pause()
  }

  resumeReader(): void {
    this.#child.stdout?.resume()
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Tells it to stop, and waits until it has. */
  async stop(): Promise<Exit & { tookMs: number }> {
    const startedMs = performance.now()
    this.signal('SIGTERM')
    await until(() => !this.isRunning, PATIENCE_MS)
    return { ...(await this.exited), tookMs: performance.now() - startedMs }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }
}

/** Runs a program that ends by itself. */
export async function runToEnd(app: App, options: Options) {
  await using program = new Program(app, options)
  await until(() => !program.isRunning, PATIENCE_MS)
  const { code } = await program.exited
  return { code, stdout: program.stdout, stderr: program.stderr }
}

export const runCli = (words: string, env: Environment) => runToEnd('cli', { env, args: words.split(' ') })

export type Health = {
  status: number
  body: { status: string; checks?: Record<string, { ok: boolean; cause?: string }> }
}

/** Asks a running program how it is. */
export async function health(url: string, path: '/livez' | '/readyz'): Promise<Health> {
  const response = await fetch(url + path, { signal: AbortSignal.timeout(PATIENCE_MS) })
  return { status: response.status, body: (await response.json()) as Health['body'] }
}

/** Its errors of the queue, except that leases were lost: a starved process is late to renew them. */
export const queueErrors = (worker: Program) =>
  worker.logged('queue.error').filter(({ err }) => (err as { name?: string }).name !== 'LeasesLost')

export const isReady = async ({ url }: { url: string }) => (await health(url, '/readyz')).status === 200
