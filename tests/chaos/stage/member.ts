import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DIE_WITH_TEST, type Environment, type LogLine } from '../../support/processes/processes.js'
import { until } from '../../support/until.js'

export type MemberOptions = {
  /** `worker 1` */
  name: string
  app: 'ingest' | 'worker'
  /** Of the build: the folder that `apps` is in. */
  root: string
  env: Environment
  /** The port on which it listens, behind any proxy. */
  port: number
  logFolder: string
  onLine: (line: LogLine) => void
  /** It ended without a signal of ours. */
  onFailure: (failure: MemberFailure) => void
}

export type MemberFailure = { name: string; how: string; lastWords: string[] }

const RESTART_MS = 500
const WORDS_KEPT = 20
/** The processes' own deadline is 20 s; a frozen machine may double it. */
const STOPPED_WITHIN_MS = 80_000
const READY_WITHIN_MS = 2_000

const SHIFTED_CLOCK = fileURLToPath(new URL('../../support/processes/shifted-clock.mjs', import.meta.url))

/** One process, and the supervisor that restarts it when it ends by itself. */
export class Member implements AsyncDisposable {
  readonly name: string
  readonly url: string
  readonly #options: MemberOptions
  readonly #log: WriteStream
  readonly #words: string[] = []
  #child: ChildProcess | undefined
  #closed: Promise<unknown> = Promise.resolve()
  #readers: Interface[] = []
  #isExpected = true
  #clockOffsetMs = 0

  constructor(options: MemberOptions) {
    this.#options = options
    this.name = options.name
    this.url = `http://127.0.0.1:${options.port}`
    this.#log = createWriteStream(join(options.logFolder, `${options.name.replace(' ', '-')}.log`), { flags: 'a' })
  }

  /** Returns when it has been started, which is long before it is ready. */
  start(clockOffsetMs = 0): void {
    const { app, root, env, name, onFailure } = this.#options
    this.#clockOffsetMs = clockOffsetMs
    const clock = clockOffsetMs === 0 ? [] : ['--import', `file://${SHIFTED_CLOCK}?offsetMs=${clockOffsetMs}`]
    const script = join(root, 'apps', app, 'dist', 'main.js')
    const child = spawn(process.execPath, ['--enable-source-maps', '--import', DIE_WITH_TEST, ...clock, script], {
      cwd: this.#options.logFolder, // holds no .env
      env: { SHUTDOWN_DELAY_S: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    this.#isExpected = false
    this.#closed = once(child, 'close')
    this.#readers = [child.stdout, child.stderr].flatMap((input) =>
      input ? [createInterface({ input }).on('line', (line) => this.#read(line))] : [],
    )
    child.once('close', (code, signal) => {
      this.#log.write(`# ended: ${code ?? signal}\n`)
      if (this.#isExpected) return
      onFailure({ name, how: `exit ${code ?? signal}`, lastWords: [...this.#words] })
      setTimeout(() => this.#child === child && !this.#isExpected && this.start(this.#clockOffsetMs), RESTART_MS)
    })
  }

  #read(line: string): void {
    this.#log.write(`${line}\n`)
    this.#words.push(line)
    if (this.#words.length > WORDS_KEPT) this.#words.shift()
    if (line.startsWith('{')) this.#options.onLine(JSON.parse(line))
  }

  get clockOffsetMs(): number {
    return this.#clockOffsetMs
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#isExpected = true
    this.#child?.kill('SIGKILL')
    await this.#closed
  }

  /** Its standard output stays unread, as when a log collector hangs. */
  stallReader(): void {
    for (const reader of this.#readers) reader.pause()
  }

  resumeReader(): void {
    for (const reader of this.#readers) reader.resume()
  }

  /** The reader of its standard output is gone, until its next start. */
  closeReader(): void {
    this.#child?.stdout?.destroy()
    this.#child?.stderr?.destroy()
  }

  /** @throws when it does not answer. */
  async isAlive(): Promise<boolean> {
    const response = await fetch(`${this.url}/livez`, { signal: AbortSignal.timeout(STOPPED_WITHIN_MS) })
    return response.ok
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  /** SIGTERM, and waits until it is gone. `code` is null when it had to be killed. */
  async stop(): Promise<{ code: number | null; tookMs: number }> {
    const startedMs = performance.now()
    this.#isExpected = true
    const child = this.#child
    child?.kill('SIGTERM')
    const late = setTimeout(() => child?.kill('SIGKILL'), STOPPED_WITHIN_MS)
    await this.#closed
    clearTimeout(late)
    return { code: child?.exitCode ?? null, tookMs: performance.now() - startedMs }
  }

  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(READY_WITHIN_MS) })
    return response.ok
  }

  /** @throws when it does not become ready in time. */
  async ready(patienceMs: number): Promise<void> {
    await until(async () => (await this.isReady()) || (await pause(100, false)), patienceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await new Promise<void>((resolve) => this.#log.end(() => resolve()))
  }
}
