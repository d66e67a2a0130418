import { setTimeout as pause } from 'node:timers/promises'
import { ConfigFaults } from './config.js'
import { DeadlineExceeded, withDeadline } from './deadline.js'
import { SAME_SIGNAL_MS, SHUTDOWN_DEADLINE_MS } from './limits.js'
import { type Log, type LogLevel, openLog } from './logger.js'
import { PortInUse } from './port-in-use.js'

export type ExitCode = 0 | 1

export interface ProcessContext {
  readonly log: Log
  /** aborts when the process is told to stop, also while it is still starting. */
  readonly signal: AbortSignal
  /** Ends a process that cannot go on while a new one could. Stops as for a signal; exit 1. */
  readonly fail: (reason: ProcessFailure) => void
}

export interface ProcessFailure {
  readonly code: string
  readonly message: string
}

/** Acquires everything that the process needs; disposing of the result releases it, in reverse. */
export type Start<C> = (config: C, context: ProcessContext) => Promise<AsyncDisposable>

/** The settings that the life of the process depends on. */
export interface LifeConfig {
  readonly logLevel: LogLevel
  /**
   * Milliseconds between SIGTERM and the release: balancers need them to notice that the process is no longer ready,
   * and it goes on serving meanwhile.
   */
  readonly shutdownDelayMs?: number
}

export interface ProcessOptions {
  readonly shutdownDeadlineMs?: number
  readonly exit?: (code: ExitCode) => void
}

/**
 * The life of a process, from its configuration to its exit code; a main.ts is one call of it:
 * `await runProcess('worker', () => readWorkerConfig(process.env), startWorker)`.
 *
 * configure ─► start ─► running ─► (SIGTERM: serving on) ─► stopping ─► exit
 *
 * - The configuration is faulty: the list goes to standard error, exit 1, and nothing has been opened.
 * - The start fails: one line in the log, exit 1. It has released its resources itself (Releasers).
 * - SIGTERM or SIGINT, in any state: the start is aborted or awaited, everything is released, exit 0; exit 1 when
 *   that fails, lasts longer than the deadline, or is cut short by a second signal.
 * - SIGTERM, which a supervisor sends, while the process runs: the signal aborts at once, and the release begins after
 *   the shutdown delay. SIGINT is Ctrl-C: there is no balancer to wait for. A second signal ends the delay.
 * - An uncaught error: the same, with exit 1. The state that it left is unknown, so the process does not go on.
 * - The process itself calls `fail`: the same, with exit 1.
 *
 * @returns once the process runs or is to exit.
 */
export async function runProcess<C extends LifeConfig>(
  app: string,
  configure: () => C,
  start: Start<C>,
  options: ProcessOptions = {},
): Promise<void> {
  const exit = options.exit ?? ((code) => process.exit(code))
  let config: C
  try {
    config = configure()
  } catch (error) {
    reportConfigFailure(app, error)
    return exit(1)
  }
  const log = openLog({ app, level: config.logLevel })
  const { shutdownDelayMs = 0 } = config
  const { shutdownDeadlineMs = SHUTDOWN_DEADLINE_MS } = options
  const life = new Life(log, { delayMs: shutdownDelayMs, deadlineMs: shutdownDeadlineMs }, exit)
  await life.begin((signal, fail) => start(config, { log, signal, fail }))
}

function reportConfigFailure(app: string, error: unknown): void {
  if (error instanceof ConfigFaults) process.stderr.write(`${app}: ${error.message}\n`)
  else openLog({ app, level: 'error' }).error({ event: 'process.start_failed', err: error })
}

class Life {
  readonly #log: Log
  readonly #delayMs: number
  readonly #deadlineMs: number
  readonly #exit: (code: ExitCode) => void
  readonly #abort = new AbortController()
  readonly #delay = new AbortController()
  #isRunning = false
  #isDelayed = false
  #started: Promise<AsyncDisposable> | undefined
  #stoppingSinceMs: number | undefined
  #exitCode: ExitCode = 0

  constructor(
    log: Log,
    { delayMs, deadlineMs }: { delayMs: number; deadlineMs: number },
    exit: (code: ExitCode) => void,
  ) {
    this.#log = log
    this.#delayMs = delayMs
    this.#deadlineMs = deadlineMs
    this.#exit = exit
  }

  async begin(start: (signal: AbortSignal, fail: ProcessContext['fail']) => Promise<AsyncDisposable>): Promise<void> {
    this.#listen()
    try {
      this.#started = start(this.#abort.signal, (reason) => this.#onFailure(reason))
      await this.#started
      this.#isRunning = true
      if (!this.#abort.signal.aborted) this.#log.info({ event: 'process.started' })
    } catch (error) {
      // Told to stop while starting: the stop reports and exits.
      if (this.#abort.signal.aborted) return
      this.#reportStartFailure(error)
      this.#exit(1)
    }
  }

  #listen(): void {
    process.on('SIGTERM', (signal) => this.#onSignal(signal))
    process.on('SIGINT', (signal) => this.#onSignal(signal))
    process.on('uncaughtException', (error) => this.#onCrash('uncaughtException', error))
    process.on('unhandledRejection', (reason) => this.#onCrash('unhandledRejection', reason))
  }

  #onSignal(signal: NodeJS.Signals): void {
    if (this.#stoppingSinceMs === undefined) {
      const delayMs = signal === 'SIGTERM' && this.#isRunning ? this.#delayMs : 0
      this.#log.info({ event: 'process.stopping', signal, ...(delayMs > 0 && { delayMs }) })
      void this.#stop(delayMs)
    } else if (performance.now() - this.#stoppingSinceMs >= SAME_SIGNAL_MS) {
      this.#onAnotherSignal(signal)
    }
  }

  #onAnotherSignal(signal: NodeJS.Signals): void {
    if (this.#isDelayed) return void this.#delay.abort()
    this.#log.error({ event: 'process.stop_forced', signal }, 'signalled again: exits without waiting for the rest')
    this.#exit(1)
  }

  #onCrash(origin: 'uncaughtException' | 'unhandledRejection', err: unknown): void {
    this.#log.error({ event: 'process.crashed', origin, err }, 'an uncaught error: exits')
    this.#exitCode = 1
    this.#delay.abort()
    void this.#stop()
  }

  #onFailure({ code, message }: ProcessFailure): void {
    if (this.#stoppingSinceMs !== undefined) return
    this.#log.error({ event: 'process.failed', code }, `${message}: exits, to be started again`)
    this.#exitCode = 1
    void this.#stop()
  }

  async #stop(delayMs = 0): Promise<void> {
    if (this.#stoppingSinceMs !== undefined) return
    this.#stoppingSinceMs = performance.now()
    this.#abort.abort()
    if (delayMs > 0) await this.#serveOn(delayMs)
    const sinceMs = performance.now()
    this.#stoppingSinceMs = sinceMs
    try {
      await withDeadline(this.#deadlineMs, this.#release())
      this.#log.info({ event: 'process.stopped', durationMs: Math.round(performance.now() - sinceMs) })
    } catch (error) {
      this.#exitCode = 1
      this.#reportStopFailure(error)
    }
    this.#exit(this.#exitCode)
  }

  async #serveOn(delayMs: number): Promise<void> {
    this.#isDelayed = true
    await pause(delayMs, undefined, { signal: this.#delay.signal }).catch(() => {})
    this.#isDelayed = false
  }

  async #release(): Promise<void> {
    let owned: AsyncDisposable | undefined
    try {
      owned = await this.#started
    } catch (error) {
      this.#log.info({ event: 'process.start_interrupted', err: error })
    }
    await owned?.[Symbol.asyncDispose]()
  }

  #reportStartFailure(error: unknown): void {
    const event = 'process.start_failed'
    if (error instanceof PortInUse) this.#log.error({ event, code: error.code }, error.message)
    else this.#log.error({ event, err: error }, 'could not start: exits')
  }

  #reportStopFailure(error: unknown): void {
    const deadlineMs = this.#deadlineMs
    if (error instanceof DeadlineExceeded) {
      this.#log.error(
        { event: 'process.stop_deadline', deadlineMs },
        'could not stop in time: exits with work unfinished',
      )
    } else {
      this.#log.error({ event: 'process.stop_failed', err: error }, 'something could not be released: exits')
    }
  }
}
