import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { printable } from '@clerk-mirror/runtime'
import { StartFault } from './faults.js'
import { type Notable, notable } from './log-line.js'
import { NODE_FLAGS } from './node-flags.js'
import { untilReady } from './readiness.js'

export interface ProcessOptions {
  /** For people: `ingest`. */
  name: string
  /** The path of the compiled main file. */
  script: string
  /** The port for a debugger, on loopback. */
  inspectPort?: number | undefined
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  /** Receives the whole output of the process. */
  logFile: string
  /** Receives the lines for people: warnings, errors, restarts. */
  say: (line: string) => void
}

/**
 * A crash is followed by a restart at once; a process that cannot stay up must not fill the screen or load the machine.
 */
const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 15_000
/** A process that lived this long did not fail at its start, and its next failure counts as the first. */
const SETTLED_AFTER_MS = 30_000
/** Longer than the processes' own shutdown deadline, after which they exit by themselves. */
const STOPPED_WITHIN_MS = 45_000

/** A message that repeats within this time is not shown again; the log has all of them. */
const SAME_TOPIC_MS = 10_000

/**
 * Loaded before the process's own code. This process may be killed without a chance to react; the closed channel then
 * tells its children, which have no terminal. The channel alone must not keep alive a process that has finished.
 */
const DIE_WITH_PARENT = `data:text/javascript,${encodeURIComponent(`
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
`)}`

/** A process that, once up, is restarted whenever it exits, until it is disposed of. */
export class SupervisedProcess implements AsyncDisposable {
  readonly #options: ProcessOptions
  readonly #log: WriteStream
  #child: ChildProcess
  #closed: Promise<void> = Promise.resolve()
  readonly #ended = new AbortController()
  #cameUp = false
  #isStopping = false
  #isDisposed = false
  #backoffMs = FIRST_BACKOFF_MS
  readonly #saidAtMs = new Map<string, number>()
  #restart: NodeJS.Timeout | undefined

  constructor(options: ProcessOptions) {
    this.#options = options
    this.#log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
    this.#child = this.#start()
  }

  /**
   * Waits until `/readyz` at this address is ready; returns the missing dependencies on a timeout. Throws StartFault
   * when the process exits before: a restart does not fix its configuration.
   */
  async comeUp(readyzUrl: string, { withinMs, signal }: { withinMs: number; signal: AbortSignal }) {
    const { signal: ended } = this.#ended
    const reason = await untilReady(readyzUrl, { withinMs, signal: AbortSignal.any([signal, ended]) })
    const { name, logFile } = this.#options
    if (ended.aborted && !signal.aborted) throw new StartFault(`${name} exited while it started; its log: ${logFile}`)
    this.#cameUp = true
    return reason
  }

  /** Lets the process drain and end, and starts the present version of its script. */
  async restart(): Promise<void> {
    await this.#stop()
    if (this.#isDisposed) return
    this.#isStopping = false
    this.#backoffMs = FIRST_BACKOFF_MS
    this.#child = this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#ended.abort() // callers that still wait for it to come up
    await this.#stop()
    await new Promise<void>((resolve) => this.#log.end(() => resolve()))
  }

  /** SIGTERM, then waits until the process has drained and ended; SIGKILL on a timeout. */
  async #stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#restart)
    const child = this.#child
    const late = setTimeout(() => {
      this.#options.say(`${this.#options.name} did not stop within ${STOPPED_WITHIN_MS / 1000} s and was killed`)
      child.kill('SIGKILL')
    }, STOPPED_WITHIN_MS)
    child.kill('SIGTERM')
    await this.#closed
    clearTimeout(late)
  }

  #start(): ChildProcess {
    const { script, inspectPort, cwd, env } = this.#options
    const debugging = inspectPort === undefined ? [] : [`--inspect=127.0.0.1:${inspectPort}`]
    // A process group of its own: the terminal's Ctrl-C would reach all at once, and the worker has to drain while
    // Redis and MySQL still run.
    const child = spawn(process.execPath, [...NODE_FLAGS, ...debugging, '--import', DIE_WITH_PARENT, script], {
      ...{ cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
    })
    const startedAtMs = performance.now()
    this.#follow(child.stdout)
    this.#follow(child.stderr)
    child.once('error', (error) => this.#options.say(`${this.#options.name} could not be started: ${error.message}`))
    this.#closed = new Promise((resolve) => child.once('close', () => resolve()))
    child.once('exit', (code, signal) => this.#onExit(code ?? signal, performance.now() - startedAtMs))
    return child
  }

  #onExit(reason: number | string | null, livedMs: number): void {
    if (this.#isStopping) return
    if (!this.#cameUp) {
      this.#ended.abort()
      return
    }
    if (livedMs > SETTLED_AFTER_MS) this.#backoffMs = FIRST_BACKOFF_MS
    const backoffMs = this.#backoffMs
    this.#backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS)
    const { name, say, logFile } = this.#options
    say(`${name} exited (${reason}) and is started again in ${backoffMs / 1000} s; its log: ${logFile}`)
    this.#restart = setTimeout(() => {
      this.#child = this.#start()
    }, backoffMs)
  }

  #follow(stream: Readable | null): void {
    if (stream === null) return
    createInterface({ input: stream }).on('line', (line) => {
      this.#log.write(`${line}\n`)
      const found = notable(line)
      if (found !== undefined) this.#sayOnce(found)
    })
  }

  /** With a wrong secret every webhook is refused: a thousand lines would tell no more than one. */
  #sayOnce({ topic, text }: Notable): void {
    const nowMs = performance.now()
    if (nowMs - (this.#saidAtMs.get(topic) ?? Number.NEGATIVE_INFINITY) < SAME_TOPIC_MS) return
    this.#saidAtMs.set(topic, nowMs)
    this.#options.say(`${this.#options.name.padEnd(6)} │ ${printable(text)}`)
  }
}
