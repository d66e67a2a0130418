import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { POLL_EVERY_MS, READY_WITHIN_MS, STOPPED_WITHIN_MS } from './limits.js'
import { identify, isRunning, readIdentity, signal } from './process-identity.js'
import { complaintIn } from './programs.js'
import type { ServerUser } from './server-user.js'
import { StackError } from './stack-error.js'

/** A handle on one server that this process started. After `kill` or `stop`, `start` brings it back as it was. */
export interface ServerControl {
  /** The server's process id; after `start` another one. */
  readonly pid: number
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** SIGTERM, and waits until it has written everything and is gone; frozen ones are woken first. */
  stop(): Promise<void>
  /** On the same data and the same port. Throws StackError `server_not_started`. */
  start(): Promise<void>
}

export interface ServerSpec {
  /** For people: `Redis`, `MariaDB`. */
  readonly title: string
  readonly program: string
  /** The name that the program is to believe it was called by. */
  readonly argv0?: string
  readonly args: readonly string[]
  /** The user that it runs as, where that is another than this process'. */
  readonly user?: ServerUser | undefined
  readonly logPath: string
  /** Where the running process is recorded, for the next start to find it if ours was killed. */
  readonly recordPath: string
  /** Whether it answers in its own protocol. */
  readonly isReady: () => Promise<boolean>
  readonly say: (line: string) => void
}

// Nothing of the user's environment: our servers get no secrets, no foreign configuration through variables, and no
// locale that this machine may not have (Redis 7.2 and later refuse to start with one).
const SERVER_ENVIRONMENT = {
  LC_ALL: 'C',
  TZ: 'UTC',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
}

// The guard waits for the end of its standard input, which is the end of our process, however it came.
const GUARD = 'read -r _; kill -TERM "$1"; kill -CONT "$1"'

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
  /** Set before we end it ourselves, so that only an unexpected end is reported. */
  expected: boolean
}

export class ServerProcess implements ServerControl {
  readonly #spec: ServerSpec
  #running: Running | undefined

  private constructor(spec: ServerSpec) {
    this.#spec = spec
  }

  static async start(spec: ServerSpec): Promise<ServerProcess> {
    const server = new ServerProcess(spec)
    await server.start()
    return server
  }

  get pid(): number {
    const pid = this.#running?.child.pid
    if (pid === undefined) throw new Error(`${this.#spec.title} is not running`)
    return pid
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async start(): Promise<void> {
    if (this.#running) return
    const { title, program, args, argv0, user, logPath, recordPath } = this.#spec
    const log = openSync(logPath, 'a', 0o600)
    const logStart = fstatSync(log).size
    // A process group of its own: Ctrl-C reaches our processes, and the servers live until those have drained.
    const options: SpawnOptions = {
      ...{ argv0, detached: true, env: SERVER_ENVIRONMENT, stdio: ['ignore', log, log] },
      ...(user && { uid: user.uid, gid: user.gid }),
    }
    const child = spawn(program, args, options)
    closeSync(log)
    const pid = await spawned(child, title)
    const guard = spawnGuard(pid)
    recordProcess(recordPath, pid)
    const exited = once(child, 'exit').then(() => {
      guard.kill('SIGKILL') // before the process id can be given to a stranger
      rmSync(recordPath, { force: true })
      if (!running.expected) this.#spec.say(`${title} ended unexpectedly: see ${logPath}`)
      this.#running = undefined
    })
    const running: Running = { child, exited, expected: true }
    this.#running = running

    if (!(await this.#becomesReady())) {
      await this.kill()
      const said = readFileSync(logPath).subarray(logStart).toString('utf8')
      throw new StackError('server_not_started', `${title} did not start: ${complaintIn(said)} (${logPath})`)
    }
    running.expected = false
  }

  async #becomesReady(): Promise<boolean> {
    const deadlineMs = performance.now() + READY_WITHIN_MS
    while (this.#running && performance.now() < deadlineMs) {
      if (await this.#spec.isReady()) return true
      await after(POLL_EVERY_MS)
    }
    return false
  }

  async #end(by: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = this.#running
    if (!running) return
    running.expected = true
    running.child.kill(by)
    running.child.kill('SIGCONT')
    const overdue = setTimeout(() => running.child.kill('SIGKILL'), STOPPED_WITHIN_MS)
    await running.exited
    clearTimeout(overdue)
  }
}

/** Ends the server that a killed process left behind, so that no two ever write to the same files. */
export async function endLeftOver(title: string, recordPath: string, say: (line: string) => void): Promise<void> {
  const server = readIdentity(recordPath)
  if (server && isRunning(server)) {
    say(`stopping the ${title} (process ${server.pid}) that an earlier run left behind`)
    signal(server, 'SIGTERM')
    signal(server, 'SIGCONT')
    const deadlineMs = performance.now() + STOPPED_WITHIN_MS
    while (isRunning(server)) {
      if (performance.now() > deadlineMs) signal(server, 'SIGKILL')
      await after(POLL_EVERY_MS)
    }
  }
  rmSync(recordPath, { force: true })
}

async function spawned(child: ChildProcess, title: string): Promise<number> {
  try {
    await once(child, 'spawn')
  } catch (error) {
    throw new StackError(
      'server_not_started',
      `${title} did not start: ${error instanceof Error ? error.message : error}`,
    )
  }
  if (child.pid === undefined) throw new Error('a spawned process has a process id')
  return child.pid
}

function spawnGuard(pid: number): ChildProcess {
  return spawn('sh', ['-c', GUARD, 'guard', String(pid)], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
}

/** In one step: a half-written record would hide the server from the next start. */
function recordProcess(path: string, pid: number): void {
  const identity = identify(pid)
  if (!identity) return // it has ended already
  writeFileSync(`${path}.new`, JSON.stringify(identity))
  renameSync(`${path}.new`, path)
}
